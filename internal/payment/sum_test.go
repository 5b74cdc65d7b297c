package payment

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
)

// capturing returns an order of 1000 of which minor is being captured.
func capturing(t testing.TB, minor int64) *Order {
	o := newTestOrder()
	o.Manual, o.Operation, o.Provider = true, gateway.OpAuthorize, "fake"
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusAuthorized, AsOf: o.Sequence, At: epoch}))
	o.Operation, o.CaptureAmount = gateway.OpCapture, minor
	o.step(StatusProcessing, SourceRequest, nil, epoch)
	o.CommandAccepted = true
	return o
}

func succeededWith(cause Source, settled *int64) Observation {
	return Observation{Source: cause, Status: StatusSucceeded, Settled: settled, At: epoch}
}

// A callback that names a sum which cannot have moved changes nothing. The provider is asked, and what it says is booked,
// or told to an operator.
func TestASumThatCannotBeIsAskedAbout(t *testing.T) {
	t.Parallel()
	for _, odd := range []int64{0, -5, 1001, 1200, 999999} {
		for _, from := range []Status{StatusCreated, StatusUnknown, StatusProcessing, StatusRequiresAction, StatusSucceeded} {
			for name, tc := range map[string]struct {
				named     int64
				conflicts int
			}{"the provider says otherwise": {1000, 0}, "the provider says so too": {odd, 1}} {
				o, now := orderIn(t, from), epoch
				n := &gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded, Settled: &odd}}
				s := reportedOrder(o, &now, n, func() (gateway.Result, error) {
					return gateway.Result{Status: gateway.StatusSucceeded, Settled: &tc.named}, nil
				})
				require.Equal(t, Verify, s.call(t), "%s %d", from, odd)
				require.Equal(t, from, o.Status)
				require.Equal(t, now, *o.NextPollAt, "it is asked about now")
				s.checks(t, o, &now, now.Add(48*time.Hour))
				require.Equal(t, StatusSucceeded, o.Status, name)
				require.EqualValues(t, 1000, o.Captured, "the order's own sum, whatever is named")
				require.Equal(t, tc.conflicts, o.Conflicts, "%s %d from %s", name, odd, from)
			}
		}
	}
}

func TestAHoldOfASumThatCannotBeIsTold(t *testing.T) {
	t.Parallel()
	for _, named := range []int64{0, 900, 1200} {
		o := newTestOrder()
		o.Manual, o.Operation = true, gateway.OpAuthorize
		require.Equal(t, Apply, o.Record(Observation{Source: SourceStatusPoll, Status: StatusAuthorized, Settled: &named, AsOf: o.Sequence, At: epoch}))
		require.Equal(t, 1, o.Conflicts, named)
		want := int64(1000)
		if named == 900 {
			want = 900
		}
		require.Equal(t, want, o.Authorized)
	}
}

// A signed callback about a hold that names another sum than the one held is about other money: something was taken, or held
// again, without us. What a poll shows of a hold is compared once, when it is recorded.
func TestACallbackOfAnotherSumThanTheHeldOneIsAConflict(t *testing.T) {
	t.Parallel()
	for _, end := range []Status{StatusAuthorized, StatusCanceled, StatusFailed} {
		for _, named := range []int64{400, 999, 1000} {
			o := heldOrder(t, "hold")
			if end != StatusAuthorized {
				require.Equal(t, Apply, o.Record(Observation{Source: SourceOperator, Status: end, AsOf: o.Sequence, At: epoch}))
			}
			r := Observation{Source: SourceCallback, Status: StatusAuthorized, Settled: &named, At: epoch}
			o.Record(r)
			require.Equal(t, end, o.Status)
			require.EqualValues(t, 1000, o.Authorized)
			if named == 1000 {
				require.Zero(t, o.Conflicts, "the hold's own, come late")
				continue
			}
			require.Equal(t, 1, o.Conflicts, "%d of an order that is %s", named, end)
			require.Equal(t, fmt.Sprintf("held with another sum than the one recorded: %d, and not 1000", named), o.NewConflicts()[0].Reason)
			r.Source = SourceStatusPoll
			o.Record(r)
			require.Equal(t, 1, o.Conflicts, "a poll repeats itself")
		}
	}
}

// A settled sum that differs from what is booked is a conflict, by whatever road it is told.
func TestASettledSumThatDiffersIsAConflict(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := newTestOrder()
		o.Kind = rapid.SampledFrom([]gateway.Kind{gateway.KindPayment, gateway.KindRefund, gateway.KindPayout, gateway.KindTransfer}).Draw(t, "kind")
		first := rapid.OneOf(rapid.Just[*int64](nil), rapid.Ptr(rapid.Int64Range(-10, 1300), false)).Draw(t, "first")
		r := succeededWith(SourceStatusPoll, first)
		if o.Record(r) != Apply {
			t.Fatal("a check's success of a whole order is booked")
		}
		odd := first != nil && (*first <= 0 || *first > 1000)
		switch {
		case first == nil || odd:
			if o.Captured != 1000 {
				t.Fatalf("booked %d", o.Captured)
			}
		case o.Captured != *first:
			t.Fatalf("booked %d instead of %d", o.Captured, *first)
		}
		if reported := o.Conflicts > 0; reported != (first != nil && *first != 1000) {
			t.Fatalf("named %v, and %d conflicts", first, o.Conflicts)
		}
		before, booked := o.Conflicts, o.Captured
		repeated := rapid.Int64Range(-10, 1300).Draw(t, "again")
		r = succeededWith(rapid.SampledFrom([]Source{SourceStatusPoll, SourceAnswer, SourceCallback}).Draw(t, "road"), &repeated)
		o.Record(r)
		if o.Captured != booked || (o.Conflicts > before) != (repeated != booked) {
			t.Fatalf("%d booked, %d named, %d conflicts", booked, repeated, o.Conflicts-before)
		}
	})
}

// A provider says that a part was captured, and never how much: what was asked for is no evidence. The order stays open
// for checks, and then for an operator.
func TestACapturedPartWithoutASumStaysOpen(t *testing.T) {
	t.Parallel()
	o, now := capturing(t, 900), epoch
	s := reportedOrder(o, &now, nil, func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil })
	require.Equal(t, Stale, o.Record(succeededWith(SourceAnswer, nil)))
	o.intend(s.policy(), now)
	s.checks(t, o, &now, epoch.Add(24*time.Hour))
	require.Equal(t, StatusProcessing, o.Status)
	require.NotNil(t, o.NextPollAt)
	require.Zero(t, o.Captured)
	require.Zero(t, o.Conflicts)
	require.Equal(t, sumNotNamed, o.StatusReason)
	for _, tr := range o.Transitions() {
		require.NotContains(t, tr.ProviderData, "settled", "a sum that nobody said")
	}

	sum := int64(1000)
	r := Observation{Source: SourceOperator, Status: StatusSucceeded, Settled: &sum, AsOf: o.Sequence, At: now}
	require.Equal(t, Apply, o.Record(r))
	require.EqualValues(t, 1000, o.Captured)
	require.Zero(t, o.Conflicts)

	whole := capturing(t, 1000)
	require.Equal(t, Apply, whole.Record(succeededWith(SourceStatusPoll, nil)), "all that was held, and nothing to mistake it for")
	require.EqualValues(t, 1000, whole.Captured)
}

func TestACapturedPartOfASumThatCannotBeIsAConflict(t *testing.T) {
	t.Parallel()
	for _, odd := range []int64{0, 1200} {
		o := capturing(t, 900)
		require.Equal(t, Conflict, o.Record(succeededWith(SourceStatusPoll, &odd)))
		require.Equal(t, StatusProcessing, o.Status)
	}
}

// A signed callback may be the only one to name the sum of a captured part. It is compared when the provider was asked, for
// the hold's own callback looks just the same.
func TestACallbackNamesTheSumOfACapturedPart(t *testing.T) {
	t.Parallel()
	noAnswer := gateway.Result{Status: gateway.StatusSucceeded}
	for name, tc := range map[string]struct {
		named     int64
		shown     *int64
		status    Status
		captured  int64
		conflicts int
	}{
		"as asked, and no other sum":       {named: 900, status: StatusSucceeded, captured: 900},
		"all of the hold, and no other":    {named: 1000, status: StatusProcessing, conflicts: 1},
		"all of the hold; a check says so": {named: 1000, shown: ptr(1000), status: StatusSucceeded, captured: 1000, conflicts: 1},
		"the hold's own":                   {named: 1000, shown: ptr(900), status: StatusSucceeded, captured: 900},
	} {
		for _, early := range []bool{false, true} { // before the call's own answer is written down
			o, now := capturing(t, 900), epoch
			n := &gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded, Settled: &tc.named}}
			shown := noAnswer
			shown.Settled = tc.shown
			s := reportedOrder(o, &now, n, func() (gateway.Result, error) { return shown, nil })
			answer := ObservationOf(shown, SourceAnswer, o.Sequence, now)
			if !early && tc.shown == nil {
				require.Equal(t, Stale, o.Record(answer), name)
			}
			require.Equal(t, Verify, s.call(t), name)
			if early {
				o.Record(answer)
			}
			s.checks(t, o, &now, now.Add(24*time.Hour))
			require.Equal(t, tc.status, o.Status, name)
			require.Equal(t, tc.captured, o.Captured, name)
			require.Equal(t, tc.conflicts, o.Conflicts, "%s: told once", name)
		}
	}
}

// The same after the order has ended: the sum of the hold may come late with the hold's own callback.
func TestTheHoldsSumAfterAPartWasCaptured(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		shown     *int64
		conflicts int
	}{"a check names the part": {ptr(900), 0}, "a check names all": {ptr(1000), 1}, "a check names none": {nil, 1}} {
		o, now := capturing(t, 900), epoch
		require.Equal(t, Apply, o.Record(succeededWith(SourceStatusPoll, ptr(900))))
		n := &gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded, Settled: ptr(1000)}}
		s := reportedOrder(o, &now, n, func() (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusSucceeded, Settled: tc.shown}, nil
		})
		require.Equal(t, Verify, s.call(t), name)
		s.checks(t, o, &now, now.Add(24*time.Hour))
		require.Equal(t, tc.conflicts, o.Conflicts, name)
		require.EqualValues(t, 900, o.Captured, name)
		require.Nil(t, o.NextPollAt, name)
	}
	o, now := capturing(t, 900), epoch
	require.Equal(t, Apply, o.Record(succeededWith(SourceStatusPoll, ptr(900))))
	n := &gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded, Settled: ptr(800)}}
	require.Equal(t, Conflict, reportedOrder(o, &now, n, prohibited).call(t), "no sum of the hold's")
}

// The hold's own callback comes late, while a part of it is captured, and names all that was held. The answer to the capture
// names no sum, and is no evidence against the callback; a poll is.
func TestTheHoldsSumBeforeTheAnswerToACapture(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		polled    *int64
		conflicts int
	}{"a poll names the part": {ptr(900), 0}, "nobody names it": {nil, 1}} {
		o := capturing(t, 900)
		o.ReportedAmount = ptr(1000)
		require.Equal(t, Stale, o.Record(succeededWith(SourceAnswer, nil)), name)
		require.Zero(t, o.Conflicts, name)
		o.Record(succeededWith(SourceStatusPoll, tc.polled))
		require.Equal(t, tc.conflicts, o.Conflicts, name)
		require.Equal(t, tc.polled != nil, o.Status == StatusSucceeded, name)
		require.Nil(t, o.ReportedAmount, name)
	}
}

// The same after a poll has shown the part: the answer to the capture, which comes last, names no sum. The next poll settles what the
// callback claims.
func TestTheAnswerToACaptureConfirmsNoSumAfterItsEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		polled    *int64
		conflicts int
	}{"a poll names the part": {ptr(900), 0}, "a poll names all": {ptr(1000), 1}, "nobody names it": {nil, 1}} {
		o := capturing(t, 900)
		require.Equal(t, Apply, o.Record(succeededWith(SourceStatusPoll, ptr(900))), name)
		o.keepReportedAmount(succeededWith(SourceCallback, ptr(1000)))
		require.Equal(t, Repeat, o.Record(succeededWith(SourceAnswer, nil)), name)
		require.Zero(t, o.Conflicts, name)
		require.Equal(t, ptr(1000), o.ReportedAmount, name)
		o.Record(succeededWith(SourceStatusPoll, tc.polled))
		require.Equal(t, tc.conflicts, o.Conflicts, name)
		require.EqualValues(t, 900, o.Captured, name)
		require.Nil(t, o.ReportedAmount, name)
	}
}

// A sum that was named of one capture says nothing of the next.
func TestASumNamedOfAnEarlierCaptureIsForgotten(t *testing.T) {
	t.Parallel()
	o := authorizedOrder(t)
	minor := int64(900)
	o.ReportedAmount = &minor
	fake := &gatewaytest.Fake{CaptureFunc: func(context.Context, gateway.Ref, money.Money) (gateway.Result, error) {
		return gateway.Result{Status: gateway.StatusSucceeded}, nil
	}}
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return epoch }})
	_, err := s.Capture(t.Context(), o.Key(), 900)
	require.NoError(t, err)
	require.Equal(t, StatusProcessing, o.Status)
	require.Zero(t, o.Captured)
}

// partlessDriver is the fake of a provider that takes holds whole.
type partlessDriver struct{ gatewaytest.Fake }

func (d *partlessDriver) Open(gateway.Account) (gateway.Gateway, error) {
	return partlessGateway{d.Gateway()}, nil
}

type partlessGateway struct{ *gatewaytest.FakeGateway }

func (partlessGateway) Check(req gateway.Request) []gateway.FieldError {
	if c, ok := req.(gateway.CaptureRequest); ok && c.Amount.Minor() < c.Ref.Amount.Minor() {
		return []gateway.FieldError{{Field: "amount", Message: "leave the amount out"}}
	}
	return nil
}

func TestACaptureThatTheProviderCannotDoIsRefusedBeforehand(t *testing.T) {
	t.Parallel()
	sent := 0
	d := &partlessDriver{gatewaytest.Fake{CaptureFunc: func(context.Context, gateway.Ref, money.Money) (gateway.Result, error) {
		sent++
		return gateway.Result{Status: gateway.StatusProcessing}, nil
	}}}
	o := authorizedOrder(t)
	sequence := o.Sequence
	s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(d), Now: func() time.Time { return epoch }})
	_, err := s.Capture(t.Context(), o.Key(), 900)
	require.Equal(t, CodeUnsupported, CodeOf(err))
	require.Equal(t, "amount", fieldsOf(err)[0].Field)
	require.Equal(t, sequence, o.Sequence, "nothing is written down")
	require.Zero(t, sent)
	_, err = s.Capture(t.Context(), o.Key(), 0)
	require.NoError(t, err)
	require.Equal(t, 1, sent)
}

// A hold that nobody canceled and that is gone without an error was let go. Without a hold it is a failure as any other.
func TestAHoldThatTheProviderLetGoIsCanceled(t *testing.T) {
	t.Parallel()
	noAnswer := &gateway.Failure{Category: gateway.FailureUnknown, Advice: gateway.AdviceContactProvider, Cascade: []gateway.CascadeError{}}
	coded := &gateway.Failure{Category: gateway.FailureFraud, Code: "DO_NOT_HONOUR_PROCESSING_ERROR", Advice: gateway.AdviceDoNotRetry}
	routed := &gateway.Failure{Category: gateway.FailureUnknown, Cascade: []gateway.CascadeError{{Priority: 1, Code: "X"}}}
	held := func() *Order { return authorizedOrder(t) }
	started := func() *Order {
		o := newTestOrder()
		o.Manual, o.Operation = true, gateway.OpAuthorize
		return o
	}
	for name, tc := range map[string]struct {
		order   func() *Order
		failure *gateway.Failure
		want    Status
	}{
		"let go":                    {held, noAnswer, StatusCanceled},
		"let go, nothing said":      {held, nil, StatusCanceled},
		"held, then refused":        {held, coded, StatusFailed},
		"held, then refused by all": {held, routed, StatusFailed},
		"never held":                {started, noAnswer, StatusFailed},
		"a capture that failed":     {func() *Order { return capturing(t, 1000) }, noAnswer, StatusFailed},
		"a sale":                    {newTestOrder, noAnswer, StatusFailed},
	} {
		for _, cause := range []Source{SourceStatusPoll, SourceCallback, SourceAnswer} {
			o := tc.order()
			r := Observation{Source: cause, Status: StatusFailed, Failure: tc.failure, AsOf: o.Sequence, At: epoch}
			require.Equal(t, Apply, o.Record(r), name)
			require.Equal(t, tc.want, o.Status, "%s by %s", name, cause)
			require.Equal(t, tc.want == StatusFailed, o.Failure != nil, name)
			require.Equal(t, tc.want == StatusCanceled, o.StatusReason == released, name)
			require.Equal(t, Repeat, o.Record(r), "%s: and again", name)
		}
	}
	o := held()
	require.Equal(t, Apply, o.Record(Observation{Source: SourceStatusPoll, Status: StatusCanceled, AsOf: o.Sequence, At: epoch}))
	require.Equal(t, released, o.StatusReason, "a provider with a word of its own for it")
}

func ptr(minor int64) *int64 { return &minor }

// Another sum than the one that was asked for is booked and told, in words that say whether it was held or taken. What an operator
// decides is no contradiction.
func TestWhatIsToldOfAnotherSum(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status  Status
		source  Source
		settled int64
		reason  string
	}{
		"less is held":                 {StatusAuthorized, SourceStatusPoll, 900, "900 is held instead of 1000"},
		"less is taken":                {StatusSucceeded, SourceStatusPoll, 900, "900 was settled instead of 1000"},
		"all is held":                  {StatusAuthorized, SourceStatusPoll, 1000, ""},
		"all is taken":                 {StatusSucceeded, SourceStatusPoll, 1000, ""},
		"an operator says less":        {StatusSucceeded, SourceOperator, 900, ""},
		"an operator says less held":   {StatusAuthorized, SourceOperator, 900, ""},
		"an operator says all":         {StatusSucceeded, SourceOperator, 1000, ""},
		"an operator says all, held":   {StatusAuthorized, SourceOperator, 1000, ""},
		"a callback says less is held": {StatusAuthorized, SourceCallback, 900, "900 is held instead of 1000"},
	} {
		o := orderIn(t, StatusProcessing)
		got := o.settle(Observation{Source: tc.source, Status: tc.status, Settled: &tc.settled, At: epoch})
		require.Equal(t, tc.settled, got, name)
		reasons := []string{}
		for _, c := range o.NewConflicts() {
			reasons = append(reasons, c.Reason)
		}
		if tc.reason == "" {
			require.Empty(t, reasons, name)
		} else {
			require.Equal(t, []string{tc.reason}, reasons, name)
		}
	}
}

// A callback named the sum of a captured part. It is believed when the provider, asked or answering, says that the capture is done
// and names no other; another callback, or an operator, does not confirm it.
func TestWhoConfirmsTheSumOfACallback(t *testing.T) {
	t.Parallel()
	for source, confirms := range map[Source]bool{SourceStatusPoll: true, SourceAnswer: true, SourceCallback: false, SourceOperator: false} {
		o := capturing(t, 400)
		o.keepReportedAmount(succeededWith(SourceCallback, ptr(400)))
		r := o.reading(succeededWith(source, nil))
		require.Equal(t, confirms, r.Settled != nil, source)
		require.Equal(t, ptr(300), o.reading(succeededWith(source, ptr(300))).Settled, "what is named counts")
	}
}
