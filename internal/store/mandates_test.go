package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// mandated makes a payment of 1000 that succeeded, and with it a mandate.
func (b *fixture) mandated(t *testing.T, s *payment.Service, reference string, terms payment.MandateTerms) payment.Key {
	t.Helper()
	in := payment.NewPayment{
		Shop: b.shop.ID, Reference: reference, Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte(reference), Description: "Socks",
		Mandate: terms, Recurring: gateway.Recurring{Enabled: true, FrequencyDays: terms.MinDays},
	}
	if terms.ExpiresAt != nil {
		in.Recurring.ExpiresAt = *terms.ExpiresAt
	}
	o, _, err := s.CreatePayment(t.Context(), in)
	require.NoError(t, err)
	b.report(t, o.Key(), payment.StatusSucceeded)
	return o.Key()
}

func (b *fixture) charge(ctx context.Context, s *payment.Service, of payment.Key, reference string, minor int64) (*payment.Order, error) {
	o, _, err := s.Charge(ctx, payment.NewCharge{Shop: of.Shop, Payment: of.Order, Reference: reference, Minor: minor, Description: "x", RequestHash: []byte(reference)})
	return o, err
}

// charger answers payments with requires_action, and charges with what it is told to.
func charger(charge func() (gateway.Result, error)) *gatewaytest.Fake {
	return &gatewaytest.Fake{
		CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusRequiresAction, NextAction: &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://p.example"}}, nil
		},
		ChargeFunc: func(context.Context, gateway.ChargeRequest) (gateway.Result, error) { return charge() },
	}
}

func TestAMandateFollowsItsPaymentAndItsCharges(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	answer, answerErr := gateway.Result{Status: gateway.StatusSucceeded}, error(nil)
	s := b.service(charger(func() (gateway.Result, error) { return answer, answerErr }))
	end := b.clock.Now().AddDate(1, 0, 0)
	o, _, err := s.CreatePayment(t.Context(), payment.NewPayment{
		Shop: b.shop.ID, Reference: "first", Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("first"),
		Mandate: payment.MandateTerms{MaxCharges: 2}, Recurring: gateway.Recurring{Enabled: true, FrequencyDays: 30, ExpiresAt: end},
	})
	require.NoError(t, err)
	key := o.Key()
	shown := func() *payment.Mandate {
		m, err := s.Mandate(t.Context(), key)
		require.NoError(t, err)
		return m
	}
	m := shown()
	require.Equal(t, payment.MandatePending, m.Status(m.AsOf))
	require.Equal(t, payment.MandateTerms{MaxAmount: 1000, MinDays: 30, ExpiresAt: &end, MaxCharges: 2}, m.MandateTerms)
	_, err = b.charge(t.Context(), s, key, "early", 1)
	require.Equal(t, payment.CodeMandateNotActive, payment.CodeOf(err))

	b.report(t, key, payment.StatusSucceeded)
	require.Equal(t, payment.MandateActive, shown().Status(b.clock.Now()), "active with the success itself")
	_, err = b.charge(t.Context(), s, key, "soon", 1000)
	require.Equal(t, payment.CodeMandateTooSoon, payment.CodeOf(err))
	b.clock.Add(29 * 24 * time.Hour)
	_, err = b.charge(t.Context(), s, key, "much", 1001)
	require.Equal(t, payment.CodeMandateLimit, payment.CodeOf(err))

	answerErr = &gateway.Error{Kind: gateway.KindUnknown}
	lost, err := b.charge(t.Context(), s, key, "c-1", 1000)
	require.NoError(t, err)
	require.Equal(t, payment.StatusUnknown, lost.Status)
	require.Equal(t, lost.ID, *shown().Open)
	_, err = b.charge(t.Context(), s, key, "c-2", 1000)
	require.Equal(t, payment.CodeMandateChargeOpen, payment.CodeOf(err), "an unknown charge blocks the next")
	repeat, err := b.charge(t.Context(), s, key, "c-1", 1000)
	require.NoError(t, err, "a repeat finds its order")
	require.Equal(t, lost.ID, repeat.ID)

	b.report(t, lost.Key(), payment.StatusFailed)
	answerErr = nil
	second, err := b.charge(t.Context(), s, key, "c-2", 1000)
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, second.Status)
	m = shown()
	require.Equal(t, 1, m.Succeeded)
	require.Equal(t, *second.FinalizedAt, *m.LastAt)
	require.Equal(t, second.FinalizedAt.AddDate(0, 0, 29), *m.NextChargeAt(m.AsOf))
	b.clock.Add(28 * 24 * time.Hour)
	_, err = b.charge(t.Context(), s, key, "c-3", 1000)
	require.Equal(t, payment.CodeMandateTooSoon, payment.CodeOf(err))
	b.clock.Add(24 * time.Hour)
	_, err = b.charge(t.Context(), s, key, "c-3", 1000)
	require.NoError(t, err)
	b.clock.Add(60 * 24 * time.Hour)
	_, err = b.charge(t.Context(), s, key, "c-4", 1000)
	require.Equal(t, payment.CodeMandateLimit, payment.CodeOf(err), "all were made")
	require.Zero(t, b.count(t, "SELECT count(*) FROM orders WHERE reference IN ('early', 'soon', 'much', 'c-4')"), "a refused charge is not stored")
	require.Zero(t, b.count(t, "SELECT count(*) FROM mandates WHERE id <> $1", key.Order), "a charge makes no mandate")
	require.Empty(t, b.verify(t))
}

// A charge whose money came after it had failed counts as one that succeeded then, and one in conflict is as open as an unknown one.
func TestAChargeThatIsPaidLateCounts(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusFailed}, nil }))
	key := b.mandated(t, s, "first", payment.MandateTerms{MaxCharges: 1, MinDays: 2})
	b.clock.Add(24 * time.Hour)
	failed, err := b.charge(t.Context(), s, key, "c-1", 1000)
	require.NoError(t, err)
	require.Equal(t, payment.StatusFailed, failed.Status)
	_, err = b.UpdateOrder(t.Context(), failed.Key(), func(o *payment.Order) error {
		o.Record(payment.Observation{Source: payment.SourceStatusPoll, Status: payment.StatusSucceeded, At: b.clock.Now()})
		return nil
	})
	require.NoError(t, err)
	m, err := s.Mandate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, 1, m.Succeeded)
	require.Equal(t, b.clock.Now(), *m.LastAt)
	_, err = b.charge(t.Context(), s, key, "c-2", 1000)
	require.Equal(t, payment.CodeMandateLimit, payment.CodeOf(err))

	s = b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil }))
	contested, err := b.charge(t.Context(), s, b.mandated(t, s, "other", payment.MandateTerms{}), "c-3", 1000)
	require.NoError(t, err)
	contested, err = b.UpdateOrder(t.Context(), contested.Key(), func(o *payment.Order) error {
		o.Record(b.newReport(payment.StatusFailed))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 1, contested.Conflicts)
	_, err = b.charge(t.Context(), s, payment.Key{Shop: contested.ShopID, Order: *contested.ParentID}, "c-4", 1000)
	require.Equal(t, payment.CodeMandateChargeOpen, payment.CodeOf(err))
}

// A refund of the whole first payment pauses, and the shop may resume.
func TestARefundOfTheFirstPaymentPauses(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil }))
	key := b.mandated(t, s, "first", payment.MandateTerms{})
	first, err := b.Order(t.Context(), key)
	require.NoError(t, err)
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, first, "r-1", 1000))
	require.NoError(t, err)
	_, err = b.charge(t.Context(), s, key, "c-1", 1)
	require.NoError(t, err, "the refund may fail yet")
	b.report(t, refund.Key(), payment.StatusSucceeded)
	_, err = b.charge(t.Context(), s, key, "c-2", 1)
	require.Equal(t, payment.CodeMandateNotActive, payment.CodeOf(err))
	m, err := s.ResumeMandate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, payment.MandateActive, m.Status(m.AsOf))
	_, err = b.charge(t.Context(), s, key, "c-2", 1)
	require.NoError(t, err)

	_, err = s.PauseMandate(t.Context(), key)
	require.NoError(t, err)
	_, err = b.charge(t.Context(), s, key, "c-3", 1)
	require.Equal(t, payment.CodeMandateNotActive, payment.CodeOf(err))
	_, err = s.RevokeMandate(t.Context(), key)
	require.NoError(t, err)
	_, err = s.ResumeMandate(t.Context(), key)
	require.Equal(t, payment.CodeMandateNotActive, payment.CodeOf(err))
	for name, sql := range map[string]string{
		"mandates_revoked":     "UPDATE mandates SET decision = 'resumed'",
		"mandates_terms":       "UPDATE mandates SET max_amount = 5000",
		"mandates_append_only": "DELETE FROM mandates",
	} {
		_, err := b.pool.Exec(t.Context(), sql)
		require.ErrorContains(t, err, map[string]string{"mandates_revoked": "stays revoked", "mandates_terms": "never change", "mandates_append_only": "keeps its rows"}[name])
	}
}

// Terms that were written by something else than payrelay charge nobody, and a shop sees its own mandates only.
func TestAnAlteredMandateIsNotCharged(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil }))
	end := b.clock.Now().AddDate(1, 0, 0)
	key := b.mandated(t, s, "first", payment.MandateTerms{ExpiresAt: &end, MaxCharges: 3, MinDays: 1})
	other := b.mandated(t, s, "other", payment.MandateTerms{})
	require.Empty(t, b.verify(t))
	for _, change := range []string{"max_amount = 5000", "min_days = 0", "expires_at = NULL", "max_charges = NULL", "schedule = '{}'", "decision = 'resumed', decided_at = now()", "decided_at = now()", "decision = 'revoked', decided_at = now(), schedule_ends_at = now()"} {
		b.exec(t, "CREATE TABLE kept AS SELECT * FROM mandates WHERE id = $1", key.Order)
		b.exec(t, "ALTER TABLE mandates DISABLE TRIGGER USER")
		b.exec(t, "UPDATE mandates SET "+change+" WHERE id = $1", key.Order)
		_, err := b.charge(t.Context(), s, key, "c-"+change[:5], 1)
		require.ErrorIs(t, err, payment.ErrFrozen, change)
		_, err = s.RevokeMandate(t.Context(), key)
		require.ErrorIs(t, err, payment.ErrFrozen, change)
		require.Equal(t, []store.Finding{{Table: "mandates", ID: key.Order.String(), What: "the terms of this mandate, or what was decided about it, were not written by payrelay"}}, b.verify(t), change)
		page, err := s.Mandates(t.Context(), b.shop.ID, "", 10)
		require.NoError(t, err)
		require.Len(t, page.Items, 1, "the altered one is left out")
		require.Equal(t, other, page.Items[0].Key())
		b.exec(t, "DELETE FROM mandates WHERE id = $1", key.Order)
		require.Equal(t, []store.Finding{{Table: "mandates", ID: key.Order.String(), What: "the mandate of this payment is missing"}}, b.verify(t))
		b.exec(t, "INSERT INTO mandates SELECT * FROM kept")
		b.exec(t, "DROP TABLE kept")
		b.exec(t, "ALTER TABLE mandates ENABLE TRIGGER USER")
	}
	require.Empty(t, b.verify(t))
	stranger, _, _ := b.newShop(t, "second", "https://second.example/hook")
	_, err := s.Mandate(t.Context(), payment.Key{Shop: stranger.ID, Order: key.Order})
	require.ErrorIs(t, err, payment.ErrNoMandate)
	page, err := s.Mandates(t.Context(), stranger.ID, "", 10)
	require.NoError(t, err)
	require.Empty(t, page.Items)
	page, err = s.Mandates(t.Context(), b.shop.ID, "", 1)
	require.NoError(t, err)
	require.Equal(t, other, page.Items[0].Key())
	page, err = s.Mandates(t.Context(), b.shop.ID, page.Next, 1)
	require.NoError(t, err)
	require.Equal(t, key, page.Items[0].Key())
	require.Empty(t, page.Next)
}

// Callers at once charge mandates with random terms while the clock jumps. None is charged outside its terms.
func TestCallersAtOnceKeepToTheTerms(t *testing.T) {
	t.Parallel()
	const mandates, rounds, callers = 12, 8, 4
	b := newFixture(t)
	outcomes := make(chan gateway.Status, mandates*rounds*callers)
	rng := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // a failure must be repeatable
	for range cap(outcomes) {
		outcomes <- []gateway.Status{gateway.StatusSucceeded, gateway.StatusSucceeded, gateway.StatusFailed, ""}[rng.IntN(4)]
	}
	s := b.service(charger(func() (gateway.Result, error) {
		if status := <-outcomes; status != "" {
			return gateway.Result{Status: status}, nil
		}
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindUnknown}
	}))
	keys := make([]payment.Key, mandates)
	for i := range keys {
		keys[i] = b.mandated(t, s, fmt.Sprintf("m-%d", i), payment.MandateTerms{MaxAmount: 1 + rng.Int64N(1000), MinDays: 2 + rng.IntN(30), MaxCharges: 1 + rng.IntN(4)})
	}
	for round := range rounds {
		b.clock.Add(time.Duration(rng.IntN(30*24)) * time.Hour)
		amounts := rng.Perm(1000)
		for i, err := range race(mandates*callers, func(i int) error {
			_, err := b.charge(t.Context(), s, keys[i%mandates], fmt.Sprintf("c-%d-%d", round, i), int64(amounts[i]+1))
			return err
		}) {
			require.True(t, err == nil || payment.CodeOf(err) != "", "%d: %v", i, err)
		}
		if round%3 == 2 {
			b.settleUnknown(t)
		}
	}
	const broken = `
SELECT count(*) FROM mandates m JOIN orders f ON f.shop_id = m.shop_id AND f.id = m.id JOIN orders c ON c.shop_id = m.shop_id AND c.parent_id = m.id
WHERE c.amount > m.max_amount OR c.created_at < f.finalized_at + (m.min_days - 1) * interval '24 hours' OR EXISTS (
    SELECT 1 FROM orders e WHERE e.shop_id = c.shop_id AND e.parent_id = c.parent_id AND e.id < c.id
    AND (e.finalized_at IS NULL OR e.finalized_at > c.created_at OR e.status = 'succeeded' AND e.finalized_at + (m.min_days - 1) * interval '24 hours' > c.created_at)
) OR (SELECT count(*) FROM orders e WHERE e.shop_id = c.shop_id AND e.parent_id = c.parent_id AND e.status = 'succeeded') > m.max_charges`
	require.Zero(t, b.count(t, broken))
	require.Greater(t, b.count(t, "SELECT count(*) FROM orders WHERE parent_id IS NOT NULL"), mandates/2)
}

// settleUnknown has every unknown order succeed.
func (b *fixture) settleUnknown(t *testing.T) {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT shop_id, id FROM orders WHERE status = 'unknown'")
	require.NoError(t, err)
	var keys []payment.Key
	for rows.Next() {
		var shop, id uuid.UUID
		require.NoError(t, rows.Scan(&shop, &id))
		keys = append(keys, payment.Key{Shop: shop, Order: id})
	}
	require.NoError(t, rows.Err())
	for _, key := range keys {
		b.report(t, key, payment.StatusSucceeded)
	}
}

// A mandate's row from before a decision has a seal that holds. The decisions, which nobody takes away, say what was decided since.
func TestADecisionAboutAMandateIsNotTakenBack(t *testing.T) {
	t.Parallel()
	for name, decide := range map[string]func(*payment.Service, context.Context, payment.Key) (*payment.Mandate, error){
		"pause": (*payment.Service).PauseMandate, "revoke": (*payment.Service).RevokeMandate,
	} {
		b := newFixture(t)
		s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil }))
		key := b.mandated(t, s, "first", payment.MandateTerms{})
		_, err := s.PauseMandate(t.Context(), key)
		require.NoError(t, err)
		_, err = s.ResumeMandate(t.Context(), key)
		require.NoError(t, err)
		_, err = b.charge(t.Context(), s, key, "c-1", 1)
		require.NoError(t, err)
		b.exec(t, "CREATE TABLE old AS SELECT * FROM mandates")
		_, err = decide(s, t.Context(), key)
		require.NoError(t, err)
		require.Empty(t, b.verify(t))
		b.exec(t, "ALTER TABLE mandates DISABLE TRIGGER USER")
		b.exec(t, "UPDATE mandates m SET decision = old.decision, decided_at = old.decided_at, seal = old.seal FROM old")
		_, err = b.charge(t.Context(), s, key, "c-2", 1)
		require.ErrorIs(t, err, payment.ErrFrozen, name)
		_, err = s.Mandate(t.Context(), key)
		require.ErrorIs(t, err, payment.ErrFrozen, name)
		require.Equal(t, "mandates "+key.Order.String(), findingNames(b.verify(t)), name)
		_, err = b.pool.Exec(t.Context(), "DELETE FROM mandate_decisions")
		require.ErrorContains(t, err, "keeps its rows")
		b.exec(t, "ALTER TABLE mandate_decisions DISABLE TRIGGER USER")
		b.exec(t, "DELETE FROM mandate_decisions")
		require.Equal(t, "mandates "+key.Order.String(), findingNames(b.verify(t)), name)
	}
}

// The terms are counted by charges that payrelay wrote: one that was changed, hidden or removed stops the next.
func TestTheTermsAreCountedByChargesAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"failed":                   "UPDATE orders SET status = 'failed', amount_captured = 0 WHERE reference = 'c-1'",
		"long ago":                 "UPDATE orders SET finalized_at = '2020-01-01' WHERE reference = 'c-1'",
		"given to another mandate": "UPDATE orders SET parent_id = (SELECT id FROM orders WHERE reference = 'other') WHERE reference = 'c-1'",
		"a refund now":             "UPDATE orders SET kind = 'refund' WHERE reference = 'c-1'",
		"removed":                  "DELETE FROM orders WHERE reference = 'c-1'",
	} {
		b := newTampered(t)
		s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil }))
		b.mandated(t, s, "other", payment.MandateTerms{})
		key := b.mandated(t, s, "first", payment.MandateTerms{MaxCharges: 1})
		_, err := b.charge(t.Context(), s, key, "c-1", 1)
		require.NoError(t, err)
		_, err = b.charge(t.Context(), s, key, "c-2", 1)
		require.Equal(t, payment.CodeMandateLimit, payment.CodeOf(err), name)
		b.tamper(t, change)
		_, err = b.charge(t.Context(), s, key, "c-2", 1)
		require.ErrorIs(t, err, payment.ErrFrozen, name)
		require.NotEmpty(t, b.verify(t), name)
	}
}

// A bank took the whole first payment back: the customer is not charged again. Once the money is back the mandate is active.
func TestAChargebackOfTheFirstPaymentPauses(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil }))
	key := b.mandated(t, s, "first", payment.MandateTerms{})
	part := b.chargeback(t, key, 400)
	_, err := b.charge(t.Context(), s, key, "c-1", 1)
	require.NoError(t, err)
	rest := b.chargeback(t, key, 600)
	_, err = b.charge(t.Context(), s, key, "c-2", 1)
	require.Equal(t, payment.CodeMandateNotActive, payment.CodeOf(err))
	won := payment.DisputeWon
	for _, d := range []payment.Dispute{part, rest} {
		_, err = b.cases().ChangeDispute(t.Context(), b.shop.ID, d.ID, payment.DisputeChange{Status: &won, Reason: "a letter"})
		require.NoError(t, err)
	}
	_, err = b.charge(t.Context(), s, key, "c-2", 1)
	require.NoError(t, err)
}
