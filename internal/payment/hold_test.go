package payment

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
)

// probingDriver is the fake of a provider whose holds are looked at before they are captured.
type probingDriver struct{ gatewaytest.Fake }

func (d *probingDriver) Open(gateway.Account) (gateway.Gateway, error) {
	return probingGateway{d.Gateway()}, nil
}

type probingGateway struct{ *gatewaytest.FakeGateway }

func (probingGateway) HoldUnverified(ref gateway.Ref) bool { return ref.State["look"] == "" }

func authorizedOrder(t *testing.T) *Order {
	o := newTestOrder()
	o.Manual, o.Operation, o.Provider = true, gateway.OpAuthorize, "fake"
	require.Equal(t, Apply, o.Record(Observation{Source: SourceCallback, Status: StatusAuthorized, At: epoch}))
	return o
}

// The customer pays while an unpaid order is being given up: the money is held, and how much is known.
func TestAHoldThatComesDuringACancelHasASum(t *testing.T) {
	t.Parallel()
	for _, cause := range []Source{SourceStatusPoll, SourceAnswer} {
		o := newTestOrder()
		o.Manual, o.Operation, o.Provider = true, gateway.OpAuthorize, "fake"
		require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusRequiresAction, AsOf: o.Sequence, At: epoch}))
		o.Operation = gateway.OpCancel
		o.step(StatusProcessing, SourceRequest, nil, epoch)
		require.Equal(t, Apply, o.Record(Observation{Source: cause, Status: StatusAuthorized, AsOf: o.Sequence, At: epoch}))
		require.Equal(t, gateway.OpAuthorize, o.Operation)
		require.EqualValues(t, 1000, o.Authorized)
		require.Zero(t, o.Conflicts)
	}
}

// A command goes out only after a look just before it that shows the hold: whether a lost one arrived is read against that.
func TestNothingIsSentBeforeTheHoldWasSeen(t *testing.T) {
	t.Parallel()
	seen := gateway.Result{Status: gateway.StatusAuthorized, State: map[string]gateway.Secret{"look": "now"}}
	for _, tc := range []struct {
		name     string
		reported gateway.Result
		err      error
		// meanwhile happens to the order before its look is recorded, after before the command is
		meanwhile, after func(*Order)
		sent             bool
		code             Code
	}{
		{name: "seen", reported: seen, sent: true},
		{name: "not answered", err: &gateway.Error{Kind: gateway.KindUnknown}, code: CodeProviderFailed},
		{name: "not known", err: &gateway.Error{Kind: gateway.KindNotFound}, code: CodeProviderFailed},
		{name: "nothing understood", reported: gateway.Result{ProviderData: gateway.ProviderData{"status": "7"}}, code: CodeProviderFailed},
		{name: "not held any more, or not yet", reported: gateway.Result{Status: gateway.StatusProcessing}, code: CodeInvalidState},
		{name: "not held, and about other money", reported: gateway.Result{Status: gateway.StatusProcessing, Kind: gateway.KindRefund}, code: CodeProviderFailed},
		{name: "nothing to remember", reported: gateway.Result{Status: gateway.StatusAuthorized}, code: CodeProviderFailed},
		{name: "about other money", reported: gateway.Result{Status: gateway.StatusAuthorized, Kind: gateway.KindRefund, State: seen.State}, code: CodeProviderFailed},
		{name: "ended", reported: gateway.Result{Status: gateway.StatusFailed}, code: CodeInvalidState},
		{
			name: "another command came and went", reported: seen, code: CodeProviderFailed,
			meanwhile: func(o *Order) {
				o.step(StatusProcessing, SourceRequest, nil, epoch)
				o.step(StatusAuthorized, SourceStatusPoll, nil, epoch)
			},
		},
		{
			name: "an older look is recorded last", reported: seen, code: CodeProviderFailed,
			after: func(o *Order) { o.ProviderState = map[string]gateway.Secret{"look": "older"} },
		},
	} {
		for _, saved := range []gateway.Secret{"", "before"} {
			if saved != "" && tc.name == "nothing to remember" {
				continue // what is remembered is how it is shown
			}
			o, sent := authorizedOrder(t), ""
			if saved != "" {
				o.ProviderState = map[string]gateway.Secret{"look": saved}
			}
			d := &probingDriver{gatewaytest.Fake{
				FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
					if tc.meanwhile != nil {
						tc.meanwhile(o)
					}
					return tc.reported, tc.err
				},
				CaptureFunc: func(_ context.Context, ref gateway.Ref, _ money.Money) (gateway.Result, error) {
					sent = ref.State["look"].Reveal()
					return gateway.Result{Status: gateway.StatusProcessing}, nil
				},
			}}
			s := New(Config{Store: &betweenStore{pollStore: &pollStore{order: o}, after: tc.after}, Drivers: gateway.NewRegistry(d), Now: func() time.Time { return epoch }})
			got, err := s.Capture(t.Context(), o.Key(), 0)
			if tc.sent {
				require.NoError(t, err, tc.name)
				require.Equal(t, StatusProcessing, got.Status, tc.name)
				require.Equal(t, "now", sent, tc.name)
				continue
			}
			require.Equal(t, tc.code, CodeOf(err), tc.name)
			require.Empty(t, sent, tc.name)
			require.Equal(t, gateway.OpAuthorize, o.Operation, tc.name)
		}
	}
}

// What a shop got wrong is said without asking the provider.
func TestACaptureOfTooMuchIsNotLookedInto(t *testing.T) {
	t.Parallel()
	d := &probingDriver{gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		t.Error("it was asked")
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindUnknown}
	}}}
	o := authorizedOrder(t)
	_, err := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(d)}).Capture(t.Context(), o.Key(), 1001)
	require.Equal(t, CodeAmountTooLarge, CodeOf(err))
	require.ErrorContains(t, err, "Capture at most 1000.")
}

// betweenStore does something to the order between its first update and the next.
type betweenStore struct {
	*pollStore
	after   func(*Order)
	updates int
}

func (s *betweenStore) UpdateOrder(ctx context.Context, key Key, fn func(*Order) error) (*Order, error) {
	if s.updates++; s.updates == 2 && s.after != nil {
		s.after(s.order)
	}
	return s.pollStore.UpdateOrder(ctx, key, fn)
}

// The look before a command uses up the command's time: together they take no longer than a call may.
func TestALookAndItsCommandHaveOneTime(t *testing.T) {
	t.Parallel()
	const timeout = time.Minute
	for took, sent := range map[time.Duration]bool{0: true, timeout / 2: true, timeout * 3 / 4: true, timeout*3/4 + time.Second: false, timeout: false, 2 * timeout: false} {
		o, now, left := authorizedOrder(t), epoch, time.Duration(0)
		d := &probingDriver{gatewaytest.Fake{
			FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
				now = now.Add(took)
				return gateway.Result{Status: gateway.StatusAuthorized, State: map[string]gateway.Secret{"look": "now"}}, nil
			},
			CaptureFunc: func(ctx context.Context, _ gateway.Ref, _ money.Money) (gateway.Result, error) {
				until, _ := ctx.Deadline()
				left = time.Until(until)
				return gateway.Result{Status: gateway.StatusProcessing}, nil
			},
		}}
		s := New(Config{Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(d), ProviderTimeout: timeout, Now: func() time.Time { return now }})
		_, err := s.Capture(t.Context(), o.Key(), 0)
		if !sent {
			require.Equal(t, CodeProviderFailed, CodeOf(err), took)
			require.Zero(t, left, took)
			require.Equal(t, StatusAuthorized, o.Status, took)
			continue
		}
		require.NoError(t, err, took)
		require.LessOrEqual(t, left, timeout-took)
		require.Greater(t, left, timeout-took-10*time.Second)
	}
}

// A command that was written down so late that its time is over is not sent: the money is still held.
func TestACommandThatWasWrittenDownLateIsNotSent(t *testing.T) {
	t.Parallel()
	const timeout = time.Minute
	o, now := authorizedOrder(t), epoch
	fake := &gatewaytest.Fake{CaptureFunc: func(context.Context, gateway.Ref, money.Money) (gateway.Result, error) {
		t.Error("it was sent")
		return gateway.Result{}, nil
	}}
	s := New(Config{Store: &slowStore{pollStore: &pollStore{order: o}, now: &now, took: timeout}, Drivers: gateway.NewRegistry(fake), ProviderTimeout: timeout, Now: func() time.Time { return now }})
	_, err := s.Capture(t.Context(), o.Key(), 0)
	require.Equal(t, CodeProviderFailed, CodeOf(err))
	require.Equal(t, StatusAuthorized, o.Status)
}

// slowStore is a store whose first update takes long.
type slowStore struct {
	*pollStore
	now  *time.Time
	took time.Duration
}

func (s *slowStore) UpdateOrder(ctx context.Context, key Key, fn func(*Order) error) (*Order, error) {
	*s.now, s.took = s.now.Add(s.took), 0
	return s.pollStore.UpdateOrder(ctx, key, fn)
}

// A capture whose answer was lost is taken for one that never arrived only by several answers in a row, the last one
// past the provider's delay and past the call's own time. Then the money is as it was: held.
func TestALostCaptureIsBelievedLate(t *testing.T) {
	t.Parallel()
	const delay, timeout = 5 * time.Second, 2 * time.Second
	s := New(Config{ProviderTimeout: timeout})
	d := gateway.Description{VisibilityDelay: delay}
	modified := func(op gateway.Operation) *Order {
		o := newTestOrder()
		o.Manual, o.Operation = true, gateway.OpAuthorize
		require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusAuthorized, AsOf: o.Sequence, At: epoch}))
		o.Operation, o.CaptureAmount = op, 400
		o.step(StatusProcessing, SourceRequest, nil, epoch)
		return o
	}
	ask := func(o *Order, after time.Duration, status gateway.Status) Verdict {
		return recordPoll(s, o, d, gateway.Result{Status: status}, nil, o.Sequence, epoch.Add(after), epoch.Add(after))
	}
	for _, op := range []gateway.Operation{gateway.OpCapture, gateway.OpCancel} {
		o := modified(op)
		for _, after := range []time.Duration{0, time.Second, 3 * time.Second, delay + timeout - 1} {
			require.Equal(t, Stale, ask(o, after, gateway.StatusAuthorized), "%s, after %s", op, after)
			require.Equal(t, StatusProcessing, o.Status)
		}
		require.Equal(t, Apply, ask(o, delay+timeout, gateway.StatusAuthorized))
		require.Equal(t, StatusAuthorized, o.Status)
		require.Equal(t, gateway.OpAuthorize, o.Operation)
		require.Zero(t, o.CaptureAmount)
		require.NoError(t, holds(o, op, false), "it can be asked for again")
	}

	o := modified(gateway.OpCapture)
	require.Equal(t, Stale, ask(o, time.Minute, gateway.StatusAuthorized), "one answer is no proof, however late")
	require.Equal(t, Stale, ask(o, 61*time.Second, gateway.StatusAuthorized))
	require.Equal(t, Repeat, ask(o, 62*time.Second, gateway.StatusProcessing), "it had arrived")
	require.Equal(t, Stale, ask(o, 70*time.Second, gateway.StatusAuthorized), "the row is broken")
	require.Equal(t, Stale, ask(o, 71*time.Second, gateway.StatusAuthorized))
	taken := int64(400)
	named := gateway.Result{Status: gateway.StatusSucceeded, Settled: &taken}
	require.Equal(t, Apply, recordPoll(s, o, d, named, nil, o.Sequence, epoch.Add(72*time.Second), epoch.Add(72*time.Second)))
	require.EqualValues(t, 400, o.Captured)
}

// A capture that the provider has answered did arrive, however long the hold is still shown.
func TestACaptureThatWasAnsweredIsNeverTakenForLost(t *testing.T) {
	t.Parallel()
	s := New(Config{ProviderTimeout: time.Second})
	o := newTestOrder()
	o.Manual, o.Operation = true, gateway.OpAuthorize
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusAuthorized, AsOf: o.Sequence, At: epoch}))
	o.Operation, o.CaptureAmount = gateway.OpCapture, 300
	o.step(StatusProcessing, SourceRequest, nil, epoch)
	o.CommandAccepted = true
	for after := range 10 {
		at := epoch.Add(time.Duration(after) * time.Hour)
		verdict := recordPoll(s, o, gateway.Description{VisibilityDelay: time.Second}, gateway.Result{Status: gateway.StatusAuthorized}, nil, o.Sequence, at, at)
		require.Equal(t, Stale, verdict)
	}
	require.Equal(t, StatusProcessing, o.Status)
	require.EqualValues(t, 300, o.CaptureAmount)
	require.Empty(t, o.ProviderState)
}

// An unpaid payment that was to be given up is as before if that never arrived, and ends as the provider says otherwise.
func TestGivingUpAnUnpaidPayment(t *testing.T) {
	t.Parallel()
	const delay, timeout = 5 * time.Second, 2 * time.Second
	s := New(Config{ProviderTimeout: timeout})
	d := gateway.Description{VisibilityDelay: delay}
	given := func() *Order {
		o := newTestOrder()
		form := &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://provider.example/form"}
		require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusRequiresAction, NextAction: form, AsOf: o.Sequence, At: epoch}))
		require.NoError(t, holds(o, gateway.OpCancel, true))
		require.Equal(t, CodeUnsupported, CodeOf(holds(o, gateway.OpCancel, false)))
		require.Equal(t, CodeInvalidState, CodeOf(holds(o, gateway.OpCapture, true)))
		o.Operation = gateway.OpCancel
		o.step(StatusProcessing, SourceRequest, nil, epoch)
		return o
	}
	ask := func(o *Order, after time.Duration, status gateway.Status) Verdict {
		return recordPoll(s, o, d, gateway.Result{Status: status}, nil, o.Sequence, epoch.Add(after), epoch.Add(after))
	}
	o := given()
	for _, after := range []time.Duration{time.Second, 3 * time.Second, delay + timeout - 1} {
		require.Equal(t, Stale, ask(o, after, gateway.StatusProcessing))
	}
	require.Equal(t, Apply, ask(o, delay+timeout, gateway.StatusRequiresAction))
	require.Equal(t, StatusRequiresAction, o.Status)
	require.Equal(t, gateway.OpSale, o.Operation)
	require.NotNil(t, o.NextAction, "the form can still be used")

	o = given()
	require.Equal(t, Apply, ask(o, time.Second, gateway.StatusCanceled))
	o = given()
	require.Equal(t, Apply, ask(o, time.Second, gateway.StatusSucceeded), "the customer was quicker")
	require.EqualValues(t, 1000, o.Captured)
	o = given()
	r := answerObservation(o, gateway.Result{}, &gateway.Error{Kind: gateway.KindDeclined}, o.Sequence, epoch)
	require.Equal(t, Apply, o.Record(r))
	require.Equal(t, StatusRequiresAction, o.Status)
	require.Equal(t, gateway.OpSale, o.Operation)
}

// A customer pays just before an unpaid order is given up, and the provider shows the hold for a while after it took the
// cancel. That is no proof that the cancel took no effect: it is as any hold that still stands.
func TestAHoldThatStillStandsAfterAnUnpaidCancelProvesNothingYet(t *testing.T) {
	t.Parallel()
	p := Policy{Schedule: DefaultSchedule, ProviderTimeout: 30 * time.Second}
	for name, accepted := range map[string]bool{"accepted": true, "answer lost": false} {
		o := newTestOrder()
		o.Manual, o.Operation = true, gateway.OpAuthorize
		require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusRequiresAction, AsOf: o.Sequence, At: epoch}))
		o.Operation = gateway.OpCancel
		o.step(StatusProcessing, SourceRequest, nil, epoch)
		o.CommandAccepted = accepted
		poll := func(after time.Duration) {
			at := epoch.Add(after)
			o.observePoll(p, statusPoll{
				Poll:      Poll{Asked: at, Answered: at, VisibilityDelay: time.Minute},
				operation: gateway.OpCancel, result: gateway.Result{Status: gateway.StatusAuthorized}, asOf: o.Sequence, since: o.PollsSince,
			})
		}
		for _, after := range []time.Duration{31 * time.Second, 40 * time.Second, 50 * time.Second, 89 * time.Second} {
			poll(after)
			require.Equal(t, StatusProcessing, o.Status, "%s, after %s", name, after)
		}
		poll(2 * time.Minute)
		if accepted {
			require.Equal(t, StatusProcessing, o.Status)
		} else {
			require.Equal(t, StatusAuthorized, o.Status)
			require.EqualValues(t, 1000, o.Authorized)
		}
	}
}

// A poll of a canceled order may show the hold from before its cancel, for the provider's delay. An operator is called only if
// the hold is shown for longer.
func TestAHoldFromBeforeItsCancelCallsNobody(t *testing.T) {
	t.Parallel()
	p := Policy{Schedule: DefaultSchedule, ProviderTimeout: 30 * time.Second}
	o := newTestOrder()
	o.Manual, o.Operation = true, gateway.OpAuthorize
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusRequiresAction, AsOf: o.Sequence, At: epoch}))
	o.Operation = gateway.OpCancel
	o.step(StatusProcessing, SourceRequest, nil, epoch)
	require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusCanceled, AsOf: o.Sequence, At: epoch}))
	poll := func(after time.Duration) Verdict {
		at := epoch.Add(after)
		return o.observePoll(p, statusPoll{
			Poll:      Poll{Asked: at, Answered: at, VisibilityDelay: time.Minute},
			operation: gateway.OpCancel, result: gateway.Result{Status: gateway.StatusAuthorized}, asOf: o.Sequence, since: o.PollsSince,
		})
	}
	require.Equal(t, Stale, poll(59*time.Second))
	require.Zero(t, o.Conflicts)
	require.Equal(t, Conflict, poll(61*time.Second))
	require.Equal(t, 1, o.Conflicts)
}

// Why a command cannot be given, in the words that the shop reads.
func TestWhyACommandCannotBeGiven(t *testing.T) {
	t.Parallel()
	form := Order{Status: StatusRequiresAction, Operation: gateway.OpSale}
	for name, tc := range map[string]struct {
		order  Order
		op     gateway.Operation
		unpaid bool // the provider can give up what nobody has paid
		code   Code
		says   string
	}{
		"a hold is captured":            {Order{Status: StatusAuthorized}, gateway.OpCapture, false, "", ""},
		"a hold is canceled":            {Order{Status: StatusAuthorized}, gateway.OpCancel, false, "", ""},
		"a form is given up":            {form, gateway.OpCancel, true, "", ""},
		"a form that cannot be":         {form, gateway.OpCancel, false, CodeUnsupported, "cannot give up a payment that the customer may still make"},
		"a form is not captured":        {form, gateway.OpCapture, true, CodeInvalidState, "A capture needs a payment that is authorized; this one is requires_action"},
		"a capture is under way":        {Order{Status: StatusProcessing, Operation: gateway.OpCapture}, gateway.OpCancel, true, CodeInvalidState, "A capture of this payment is under way"},
		"a cancel is under way":         {Order{Status: StatusProcessing, Operation: gateway.OpCancel}, gateway.OpCapture, true, CodeInvalidState, "A cancel of this payment is under way"},
		"the payment itself is":         {Order{Status: StatusProcessing, Operation: gateway.OpSale}, gateway.OpCancel, true, CodeInvalidState, "A cancel needs a payment that is authorized; this one is processing"},
		"a capture is done":             {Order{Status: StatusSucceeded, Operation: gateway.OpCapture}, gateway.OpCancel, true, CodeInvalidState, "A cancel needs a payment that is authorized; this one is succeeded"},
		"a cancel is done":              {Order{Status: StatusCanceled, Operation: gateway.OpCancel}, gateway.OpCapture, true, CodeInvalidState, "this one is canceled"},
		"nobody knows how the order is": {Order{Status: StatusUnknown, Operation: gateway.OpAuthorize}, gateway.OpCapture, true, CodeInvalidState, "this one is unknown"},
	} {
		err := holds(&tc.order, tc.op, tc.unpaid)
		require.Equal(t, tc.code, CodeOf(err), name)
		if tc.says != "" {
			require.ErrorContains(t, err, tc.says, name)
		}
	}
}
