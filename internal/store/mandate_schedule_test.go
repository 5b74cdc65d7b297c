package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

// payrelay charges by a mandate's schedule: one charge a period, again after a failure, and none beside one that is unknown. What
// several schedulers do at once happens once.
func TestAScheduleCharges(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	answer, answerErr := gateway.Result{Status: gateway.StatusSucceeded}, error(nil)
	s := b.service(charger(func() (gateway.Result, error) { return answer, answerErr }))
	schedule := payment.MandateSchedule{Every: payment.EveryMonth, Interval: 1, Amount: 400, RetryDays: []int{2, 5}}
	key := b.mandated(t, s, "first", payment.MandateTerms{Schedule: &schedule}) // on 2 January
	shown := func() *payment.Mandate {
		m, err := s.Mandate(t.Context(), key)
		require.NoError(t, err)
		return m
	}
	require.Equal(t, &schedule, shown().Schedule)
	charges := func() (all []string) {
		rows, err := b.pool.Query(t.Context(), "SELECT reference || ' ' || status || ' ' || amount FROM orders WHERE parent_id IS NOT NULL ORDER BY id")
		require.NoError(t, err)
		for rows.Next() {
			var line string
			require.NoError(t, rows.Scan(&line))
			all = append(all, line)
		}
		require.NoError(t, rows.Err())
		return all
	}
	until := func(at string) {
		day, err := time.Parse(time.DateOnly, at)
		require.NoError(t, err)
		b.clock.Add(day.Add(4 * time.Hour).Sub(b.clock.Now()))
	}
	until("2030-02-01")
	require.Zero(t, b.runs(t, s), "nothing is due in the first month")
	until("2030-02-02")
	for _, err := range race(6, func(int) error { return s.RunMandate(t.Context(), key) }) {
		require.NoError(t, err)
	}
	want := []string{"first~due-1-0 succeeded 400"}
	require.Equal(t, want, charges())
	o, err := b.OrderByReference(t.Context(), b.shop.ID, gateway.KindPayment, "first~due-1-0")
	require.NoError(t, err)
	period, due := o.Due()
	require.Equal(t, []any{1, true, &key.Order}, []any{period, due, o.ParentID})

	answer.Status = gateway.StatusFailed
	until("2030-03-01")
	b.runs(t, s) // one of the six may have found the charge under way, and looks once more
	require.Equal(t, want, charges(), "nothing is due before the second month is over")
	for _, at := range []string{"2030-03-02", "2030-03-03", "2030-03-04", "2030-03-06", "2030-03-07", "2030-03-20"} {
		until(at)
		b.runs(t, s)
	}
	want = append(want, "first~due-2-0 failed 400", "first~due-2-1 failed 400", "first~due-2-2 failed 400")
	require.Equal(t, want, charges())

	answerErr = &gateway.Error{Kind: gateway.KindUnknown}
	until("2030-06-10")
	b.runs(t, s)
	want = append(want, "first~due-5-0 unknown 400")
	require.Equal(t, want, charges(), "after an outage one charge, and not three")
	answerErr = nil
	until("2030-06-20")
	b.runs(t, s)
	until("2030-07-10")
	b.runs(t, s)
	require.Equal(t, want, charges(), "an unknown charge stops the schedule")
	o, err = b.OrderByReference(t.Context(), b.shop.ID, gateway.KindPayment, "first~due-5-0")
	require.NoError(t, err)
	b.report(t, o.Key(), payment.StatusSucceeded)
	want[len(want)-1] = "first~due-5-0 succeeded 400"

	answer = gateway.Result{Status: gateway.StatusFailed, Failure: &gateway.Failure{Category: gateway.FailureUnknown, Advice: gateway.AdviceDoNotRetry}}
	b.clock.Add(2 * time.Hour)
	b.runs(t, s)
	want = append(want, "first~due-6-0 failed 400")
	require.Equal(t, want, charges())
	m := shown()
	require.Equal(t, payment.MandatePaused, m.Status(m.AsOf), "the card is not to be charged again")
	until("2030-08-10")
	b.runs(t, s)
	require.Equal(t, want, charges())
	answer = gateway.Result{Status: gateway.StatusSucceeded}
	_, err = s.ResumeMandate(t.Context(), key)
	require.NoError(t, err)
	b.runs(t, s)
	require.Equal(t, want, charges(), "what is left of the period is not charged")
	until("2030-09-02")
	b.runs(t, s)
	want = append(want, "first~due-8-0 succeeded 400")
	require.Equal(t, want, charges())
	_, err = s.RevokeMandate(t.Context(), key)
	require.NoError(t, err)
	until("2030-10-10")
	b.runs(t, s)
	require.Equal(t, want, charges())
	require.Zero(t, b.count(t, "SELECT count(*) FROM mandate_runs"))
	require.Empty(t, b.verify(t))
}

// A mandate without a schedule is looked at once, and never again.
func TestAMandateWithoutAScheduleIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil }))
	b.mandated(t, s, "first", payment.MandateTerms{})
	b.clock.Add(26 * time.Hour)
	require.Equal(t, 1, b.runs(t, s))
	require.Zero(t, b.count(t, "SELECT count(*) FROM mandate_runs"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders"))
}

// A schedule that cannot be kept is refused by name, and nothing is stored.
func TestAScheduleThatCannotBeKeptIsRefused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	fake := charger(nil)
	in := func(schedule payment.MandateSchedule) payment.NewPayment {
		return payment.NewPayment{
			Shop: b.shop.ID, Reference: "first", Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, Description: "Socks", RequestHash: []byte("first"),
			Mandate: payment.MandateTerms{Schedule: &schedule}, Recurring: gateway.Recurring{Enabled: true},
		}
	}
	fields := func(p payment.NewPayment) (names []string) {
		_, _, err := b.service(fake).CreatePayment(t.Context(), p)
		refused, ok := errors.AsType[*payment.Error](err)
		require.True(t, ok, "%v", err)
		for _, f := range refused.Fields {
			names = append(names, f.Field)
		}
		return names
	}
	require.Equal(t, []string{"mandate.schedule.amount"}, fields(in(payment.MandateSchedule{Every: payment.EveryDay, Interval: 1, Amount: 1001})))
	for _, days := range [][]int{{2, 1}, {1, 1}} {
		require.Equal(t, []string{"mandate.schedule.retry_days"}, fields(in(payment.MandateSchedule{Every: payment.EveryDay, Interval: 1, RetryDays: days})))
	}
	bare := in(payment.MandateSchedule{Every: payment.EveryDay, Interval: 1})
	bare.Description = ""
	require.Equal(t, []string{"description"}, fields(bare))
	fake.Plain = true
	require.Equal(t, []string{"mandate.schedule"}, fields(in(payment.MandateSchedule{Every: payment.EveryDay, Interval: 1})))
	require.Zero(t, b.count(t, "SELECT count(*) FROM orders"))
}

// A schedule goes on as soon as its charge has a sure end, however that is learned, and also if that comes while it is being run.
func TestAScheduleGoesOnWhenItsChargeEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]payment.Status{"succeeds": payment.StatusSucceeded, "fails": payment.StatusFailed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusProcessing}, nil }))
			schedule := payment.MandateSchedule{Every: payment.EveryMonth, Interval: 1, Amount: 400, RetryDays: []int{1}}
			key := b.mandated(t, s, "first", payment.MandateTerms{Schedule: &schedule})
			dueAt := func() time.Time {
				var at time.Time
				require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT due_at FROM mandate_runs").Scan(&at))
				return at.UTC()
			}
			b.clock.Add(31 * 24 * time.Hour)
			require.Equal(t, 1, b.runs(t, s))
			charge, err := b.OrderByReference(t.Context(), b.shop.ID, gateway.KindPayment, "first~due-1-0")
			require.NoError(t, err)
			b.clock.Add(time.Minute)
			require.Zero(t, b.runs(t, s), "nothing is done while the charge is open")

			_, err = b.UpdateOrder(t.Context(), charge.Key(), func(o *payment.Order) error {
				r := b.newReport(end)
				r.Source, r.AsOf = payment.SourceStatusPoll, o.Sequence
				require.Equal(t, payment.Apply, o.Record(r))
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, 1, b.runs(t, s), "at once")
			want := charge.CreatedAt.AddDate(0, 0, 1) // the retry
			if end == payment.StatusSucceeded {
				m, err := s.Mandate(t.Context(), key)
				require.NoError(t, err)
				want = m.First.FinalizedAt.AddDate(0, 2, 0) // the next period
			}
			require.Equal(t, want.UTC(), dueAt())

			later := b.clock.Now().Add(time.Hour)
			now := b.clock.Now()
			require.NoError(t, b.PlanMandate(t.Context(), key, &now))
			require.NoError(t, b.PlanMandate(t.Context(), key, &later))
			require.Equal(t, 1, b.runs(t, s), "a run that began before does not put off what is due at once")
			require.Equal(t, want.UTC(), dueAt())
			require.Equal(t, 2, b.count(t, "SELECT count(*) FROM orders"))
		})
	}
}
