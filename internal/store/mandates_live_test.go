package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// An account stays open while something can be charged there: by us, by the provider's own schedule, or by what that had planned before
// a revoke. What the database counts is what Mandate.Ended says.
func TestAnAccountIsNotClosedWhileAMandateLives(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	for name, c := range map[string]struct {
		own                bool
		expires, scheduled time.Duration // from now; 0 for none
		decision           payment.MandateDecision
		live               bool
	}{
		"active":                             {live: true},
		"paused":                             {decision: payment.MandatePause, live: true},
		"revoked":                            {decision: payment.MandateRevoke},
		"expired":                            {expires: -hour},
		"not expired":                        {expires: hour, live: true},
		"by the provider":                    {own: true, expires: hour, live: true},
		"whose last charge may be late":      {own: true, expires: -24 * hour, live: true},
		"by the provider, expired":           {own: true, expires: -26 * hour},
		"revoked, and not confirmed":         {own: true, expires: hour, decision: payment.MandateRevoke, live: true},
		"revoked, and its charges may come":  {own: true, expires: 90 * hour, decision: payment.MandateRevoke, scheduled: hour, live: true},
		"revoked, and the schedule is over":  {own: true, expires: 90 * hour, decision: payment.MandateRevoke, scheduled: -hour},
		"revoked without an answer, expired": {own: true, expires: -26 * hour, decision: payment.MandateRevoke},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			fake := charger(nil)
			fake.Plain = c.own
			if c.own {
				b.OwnSchedules = []string{"fake"}
			}
			s := b.service(fake)
			terms := payment.MandateTerms{MinDays: 1}
			at := func(from time.Duration) *time.Time { until := b.clock.Now().Add(48 * hour).Add(from); return &until }
			if c.expires != 0 {
				terms.ExpiresAt = at(c.expires)
			}
			key := b.mandated(t, s, "first", terms)
			_, err := b.DecideMandate(t.Context(), key, func(m *payment.Mandate) error {
				now := b.clock.Now()
				m.Decision = c.decision
				if c.decision != "" {
					m.DecidedAt = &now
				}
				if c.scheduled != 0 {
					m.ScheduleEndsAt = at(c.scheduled)
				}
				return nil
			})
			require.NoError(t, err)
			b.clock.Add(48 * hour)
			m, err := s.Mandate(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, !c.live, m.Ended(b.clock.Now()))
			if c.live {
				require.Equal(t, "1 × mandate that has not ended ('server mandate list --account EUR-1' shows each, 'server mandate revoke' ends it)", b.refusesToClose(t))
				return
			}
			require.NoError(t, b.CloseAccount(t.Context(), "EUR-1"))
		})
	}
}

// A mandate whose payment took no money is none, and one elsewhere is no matter.
func TestAMandateWithoutMoneyKeepsNoAccountOpen(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service(&gatewaytest.Fake{})
	o, _, err := s.CreatePayment(t.Context(), payment.NewPayment{
		Shop: b.shop.ID, Reference: "failed", Amount: b.draft(t, "x", 1000).Amount, Flow: gateway.FlowHosted, RequestHash: []byte("h"), Recurring: gateway.Recurring{Enabled: true},
	})
	require.NoError(t, err)
	require.Equal(t, payment.StatusFailed, o.Status)
	b.newAccount(t, "EUR-2", "first")
	b.mandated(t, b.service(charger(nil)), "second", payment.MandateTerms{})
	require.NoError(t, b.CloseAccount(t.Context(), "EUR-2"))
	require.Contains(t, b.refusesToClose(t), "1 × mandate")
}

// A revoke moves no money and stops some, so it works in every mode.
func TestARevokeWorksWhateverIsSwitchedOff(t *testing.T) {
	t.Parallel()
	for _, mode := range []shop.Mode{shop.ModeDrain, shop.ModeOff, shop.ModeClosed} {
		for _, own := range []bool{false, true} {
			b := newFixture(t)
			fake := charger(nil)
			if own {
				fake = (&scheduler{}).fake()
				fake.EndScheduleFunc = func(gateway.Ref, int) (time.Time, error) { return b.clock.Now().Add(24 * time.Hour), nil }
			}
			s := b.service(fake)
			key := b.mandated(t, s, "first", payment.MandateTerms{MinDays: 30})
			require.NoError(t, b.SetAccountMode(t.Context(), "EUR-1", mode))
			m, err := s.RevokeMandate(payment.WithMode(t.Context(), shop.ModeOff), key)
			require.NoError(t, err, mode)
			require.Equal(t, payment.MandateRevoke, m.Decision)
			require.Equal(t, own, m.ScheduleEndsAt != nil)
			require.Contains(t, fake.Calls(), "CreatePayment")
		}
	}
}

// Nothing is charged, by a schedule or by the shop, while the shop or the account begins nothing, or does not belong to the other. What
// waited is charged afterwards, and each refusal is counted.
func TestNothingIsChargedWhereNothingBegins(t *testing.T) {
	t.Parallel()
	on := func(*fixture) error { return nil }
	for name, c := range map[string]struct {
		block, allow func(b *fixture) error
		message      string
	}{
		"enabled":         {on, on, ""},
		"shop off":        {func(b *fixture) error { return b.SetShopMode(t.Context(), "first", shop.ModeOff) }, func(b *fixture) error { return b.SetShopMode(t.Context(), "first", shop.ModeEnabled) }, "This shop is switched off"},
		"shop drained":    {func(b *fixture) error { return b.SetShopMode(t.Context(), "first", shop.ModeDrain) }, func(b *fixture) error { return b.SetShopMode(t.Context(), "first", shop.ModeEnabled) }, "begins nothing new"},
		"account off":     {func(b *fixture) error { return b.SetAccountMode(t.Context(), "EUR-1", shop.ModeOff) }, func(b *fixture) error { return b.SetAccountMode(t.Context(), "EUR-1", shop.ModeEnabled) }, "EUR-1 begins nothing new"},
		"account drained": {func(b *fixture) error { return b.SetAccountMode(t.Context(), "EUR-1", shop.ModeDrain) }, func(b *fixture) error { return b.SetAccountMode(t.Context(), "EUR-1", shop.ModeEnabled) }, "EUR-1 begins nothing new"},
		"account taken from the shop": {func(b *fixture) error {
			mandates, err := b.UnlinkAccount(t.Context(), "EUR-1", "first", true)
			require.EqualValues(t, 1, mandates)
			return err
		}, func(b *fixture) error {
			_, err := b.LinkAccount(t.Context(), "EUR-1", "first", store.Routing{}, false)
			return err
		}, "EUR-1 was taken from this shop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			var refused []error
			fake := charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil })
			s := payment.New(payment.Config{Store: b.Store, Now: b.clock.Now, Drivers: gateway.NewRegistry(fake), Observe: func(e payment.Event) {
				if e.ChargeRefused != nil {
					refused = append(refused, e.ChargeRefused)
				}
			}})
			key := b.mandated(t, s, "first", payment.MandateTerms{Schedule: &payment.MandateSchedule{Every: payment.EveryWeek, Interval: 1, Amount: 400}})
			charges := func() int { return b.count(t, "SELECT count(*) FROM orders WHERE reference = 'first~due-1-0'") }
			require.NoError(t, c.block(b))
			b.clock.Add(7 * 24 * time.Hour)
			require.Equal(t, 1, b.runs(t, s))
			if c.message == "" {
				require.Empty(t, refused)
				require.Equal(t, 1, charges())
				return
			}
			require.Len(t, refused, 1)
			require.ErrorContains(t, refused[0], c.message)
			require.Zero(t, charges())
			if !strings.HasPrefix(name, "shop") { // the caller's mode comes with its request
				_, err := b.charge(t.Context(), s, key, "mine", 100)
				require.ErrorContains(t, err, strings.TrimPrefix(c.message, "EUR-1 begins nothing new"))
			}
			require.Zero(t, b.runs(t, s), "not before an hour")
			require.NoError(t, c.allow(b))
			b.clock.Add(time.Hour)
			require.Equal(t, 1, b.runs(t, s))
			require.Equal(t, 1, charges())
		})
	}
}
