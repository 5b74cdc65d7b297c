package payment

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"payrelay/internal/gateway"
)

func movement(status Status, cause Source, references ...string) Observation {
	return Observation{Source: cause, Status: status, BankReferences: references, At: epoch}
}

// A second signed success of one order with another RRN may be a second charge.
func TestASecondSuccessUnderAnotherReferenceIsADispute(t *testing.T) {
	t.Parallel()
	for _, cause := range []Source{SourceCallback, SourceStatusPoll, SourceAnswer} {
		o := orderIn(t, StatusProcessing)
		require.Equal(t, Apply, o.Record(movement(StatusSucceeded, SourceCallback, "318513456789")))
		require.Equal(t, Repeat, o.Record(movement(StatusSucceeded, cause, "318513456789")))
		require.Equal(t, Repeat, o.Record(movement(StatusSucceeded, cause)))
		require.Zero(t, o.Conflicts)
		require.Equal(t, Apply, o.Record(movement(StatusSucceeded, cause, "318513456790")))
		require.Equal(t, DisputeDuplicateCharge, lastDispute(t, o).Kind)
		require.Equal(t, "reported succeeded as 318513456789 and 318513456790: it may be a second charge", lastReason(o))
		require.Equal(t, Repeat, o.Record(movement(StatusSucceeded, cause, "318513456790")), "told once")
		require.Equal(t, 1, o.DisputesOpen)
		require.Zero(t, o.Conflicts)
		require.Equal(t, map[string]Status{"318513456789": StatusSucceeded, "318513456790": ""}, o.BankReferences, "both are found by a search")
	}

	o := orderIn(t, StatusProcessing)
	require.Equal(t, Apply, o.Record(movement(StatusSucceeded, SourceStatusPoll, "a", "b")), "the provider shows two at once")
	require.Equal(t, DisputeDuplicateCharge, lastDispute(t, o).Kind)
	require.Equal(t, "reported succeeded as a and b: it may be a second charge", lastReason(o))
}

// lastReason is what the newest step of an order says of a dispute.
func lastReason(o *Order) string { return o.transitions[len(o.transitions)-1].ProviderData["reason"] }

func TestASecondReferenceThatIsNoSecondCharge(t *testing.T) {
	t.Parallel()
	o := orderIn(t, StatusProcessing)
	o.Record(movement(StatusFailed, SourceCallback, "declined"))
	require.Equal(t, StatusFailed, o.Status)

	o = orderIn(t, StatusProcessing)
	o.Record(movement(StatusProcessing, SourceStatusPoll, "first try"))
	require.Equal(t, Apply, o.Record(movement(StatusSucceeded, SourceStatusPoll, "second try")))
	require.Zero(t, o.Conflicts, "what was not reported as done moved nothing")

	hold := newTestOrder()
	hold.Manual, hold.Operation = true, gateway.OpAuthorize
	require.Equal(t, Apply, hold.Record(movement(StatusAuthorized, SourceCallback, "hold")))
	require.Equal(t, Repeat, hold.Record(movement(StatusAuthorized, SourceStatusPoll, "hold")))
	hold.Operation = gateway.OpCapture
	hold.step(StatusProcessing, SourceRequest, nil, epoch)
	require.Equal(t, Apply, hold.Record(movement(StatusSucceeded, SourceStatusPoll, "capture")))
	require.Equal(t, Repeat, hold.Record(movement(StatusSucceeded, SourceCallback, "hold")), "the hold's own, come late")
	require.Zero(t, hold.Conflicts, "a hold and its capture may carry different ones")
	require.Equal(t, map[string]Status{"hold": StatusAuthorized, "capture": StatusSucceeded}, hold.BankReferences)
	require.Equal(t, Apply, hold.Record(movement(StatusSucceeded, SourceCallback, "other")))
	require.Equal(t, "reported succeeded as capture and other: it may be a second charge", lastReason(hold))

	twice := newTestOrder()
	twice.Manual, twice.Operation = true, gateway.OpAuthorize
	require.Equal(t, Apply, twice.Record(movement(StatusAuthorized, SourceCallback, "hold")))
	require.Equal(t, Conflict, twice.Record(movement(StatusAuthorized, SourceCallback, "hold 2")), "money is held twice")
	require.Equal(t, StatusAuthorized, twice.Status)
}

// heldOrder returns an order of 1000, all of it held under a bank's reference.
func heldOrder(t testing.TB, reference string) *Order {
	o := newTestOrder()
	o.Manual, o.Operation = true, gateway.OpAuthorize
	require.Equal(t, Apply, o.Record(movement(StatusAuthorized, SourceCallback, reference)))
	return o
}

// Money that is held a second time is told of also when the first hold is gone.
func TestASecondHoldAfterTheFirstEndedIsAConflict(t *testing.T) {
	t.Parallel()
	for _, cause := range []Source{SourceCallback, SourceStatusPoll} {
		for _, end := range []Status{StatusCanceled, StatusFailed} {
			o := heldOrder(t, "hold")
			require.Equal(t, Apply, o.Record(movement(end, SourceCallback)))
			require.Equal(t, Stale, o.Record(movement(StatusAuthorized, cause, "hold")), "the first one's own, come late")
			require.Equal(t, Stale, o.Record(movement(StatusAuthorized, cause)))
			require.Zero(t, o.Conflicts)
			require.Equal(t, Conflict, o.Record(movement(StatusAuthorized, cause, "hold 2")))
			require.Equal(t, "reported authorized as hold and hold 2: it may be a second charge", o.NewConflicts()[0].Reason)
			require.Equal(t, Stale, o.Record(movement(StatusAuthorized, cause, "hold 2")), "told once")
			require.Equal(t, 1, o.Conflicts)
			require.Equal(t, Status(""), o.BankReferences["hold 2"], "it is found by a search")
		}
	}
}

// Whatever else is asked about first, a callback's reference is kept and compared.
func TestTheReferenceOfACallbackInVerificationIsKept(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*Service, *gateway.Notification){
		"policy": func(s *Service, _ *gateway.Notification) { s.AlwaysConfirm = true },
		"weak":   func(_ *Service, n *gateway.Notification) { n.Weak = "no sum" },
	} {
		o, now := orderIn(t, StatusProcessing), epoch
		n := &gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded, BankReferences: []string{"first"}}}
		s := reportedOrder(o, &now, n, func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil })
		prepare(s, n)
		require.Equal(t, Verify, s.call(t), name)
		s.checks(t, o, &now, now.Add(time.Hour))
		require.Equal(t, StatusSucceeded, o.Status)
		n.Weak, n.Result.BankReferences = "", []string{"second"}
		require.Equal(t, Apply, s.call(t), name)
		require.Equal(t, 1, o.DisputesOpen)
	}
	o, now := orderIn(t, StatusProcessing), epoch
	n := &gateway.Notification{OrderID: "o", VerifyReason: "C1", Result: gateway.Result{}}
	reportedOrder(o, &now, n, prohibited).call(t)
	require.Empty(t, o.BankReferences, "what cannot be read is no reference")

	odd := int64(1200)
	n = &gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded, Settled: &odd, BankReferences: []string{"odd"}}}
	require.Equal(t, Verify, reportedOrder(o, &now, n, prohibited).call(t))
	require.Equal(t, map[string]Status{"odd": StatusProcessing}, o.BankReferences)
	require.Equal(t, Apply, o.Record(movement(StatusSucceeded, SourceStatusPoll, "true")))
	require.Zero(t, o.Conflicts, "what was not believed is no first charge")

	o = orderIn(t, StatusSucceeded)
	o.Kind = gateway.KindRefund
	two := []RefundFacts{{ID: o.ID, Status: StatusSucceeded, FinalizedAt: &now}, {Status: StatusSucceeded, FinalizedAt: &now}}
	for _, reference := range []string{"a", "b"} { // the callbacks of two refunds of one sum
		n = &gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded, Kind: gateway.KindRefund, BankReferences: []string{reference}}}
		s := reportedOrder(o, &now, n, prohibited)
		s.Store = &callbackStore{pollStore: pollStore{order: o}, refunds: two}
		require.Equal(t, Repeat, s.call(t))
	}
	require.Len(t, o.BankReferences, 2)
}

// A refund that is not on record is found by its reference, too.
func TestTheReferenceOfAnUnrecordedRefundIsKept(t *testing.T) {
	t.Parallel()
	o, now, sum := orderIn(t, StatusSucceeded), epoch, int64(600)
	n := &gateway.Notification{OrderID: "o", Result: gateway.Result{
		Status: gateway.StatusSucceeded, Kind: gateway.KindRefund, Amount: &sum, Currency: "EUR", BankReferences: []string{"refund"},
	}}
	require.Equal(t, Apply, reportedOrder(o, &now, n, prohibited).call(t))
	require.Equal(t, map[string]Status{"refund": ""}, o.BankReferences)
	require.Equal(t, Repeat, o.Record(movement(StatusSucceeded, SourceCallback, "payment")))
	require.Equal(t, 1, o.DisputesOpen, "the payment's own is no second one")
}

// However reports repeat and mix, an order that succeeded under several references has exactly one dispute for each of them
// but one, and every reference is kept.
func TestEveryOtherReferenceIsToldOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := newTestOrder()
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 12).Draw(t, "references")
		different := map[string]bool{}
		for _, name := range names {
			different[name] = true
			o.Record(movement(StatusSucceeded, rapid.SampledFrom([]Source{SourceCallback, SourceStatusPoll}).Draw(t, "cause"), name))
		}
		if o.DisputesOpen != len(different)-1 || o.Conflicts > 0 || len(o.BankReferences) != len(different) {
			t.Fatalf("%v: %d disputes, %v", names, o.DisputesOpen, o.BankReferences)
		}
		if !slices.Equal(o.referencesOf(StatusSucceeded), names[:1]) {
			t.Fatalf("%v: booked is %v", names, o.referencesOf(StatusSucceeded))
		}
	})
}

// What becomes of a name of a movement, by what it was reported for before, what it is reported for now, and whether that status
// has a name already. The first name of a status stays, and any other contradicts it.
func TestWhatANameOfAMovementStandsFor(t *testing.T) {
	t.Parallel()
	const none = Status("none") // not reported before
	for _, tc := range []struct {
		before, reported Status
		taken            bool
		want             Status
	}{
		{none, StatusProcessing, false, StatusProcessing},
		{none, StatusSucceeded, false, StatusSucceeded},
		{none, StatusSucceeded, true, ""},
		{none, StatusAuthorized, true, ""},
		{none, StatusFailed, true, StatusFailed},
		{"", StatusSucceeded, false, ""},
		{"", StatusAuthorized, true, ""},
		{"", StatusProcessing, false, ""},
		{StatusSucceeded, StatusSucceeded, false, StatusSucceeded},
		{StatusSucceeded, StatusAuthorized, false, StatusSucceeded},
		{StatusSucceeded, StatusAuthorized, true, StatusSucceeded},
		{StatusAuthorized, StatusAuthorized, false, StatusAuthorized},
		{StatusAuthorized, StatusAuthorized, true, StatusAuthorized},
		{StatusAuthorized, StatusSucceeded, false, StatusSucceeded},
		{StatusAuthorized, StatusSucceeded, true, StatusAuthorized},
		{StatusAuthorized, StatusProcessing, false, StatusAuthorized},
		{StatusProcessing, StatusProcessing, false, StatusProcessing},
		{StatusProcessing, StatusFailed, false, StatusProcessing},
		{StatusProcessing, StatusSucceeded, false, StatusSucceeded},
		{StatusProcessing, StatusSucceeded, true, ""},
	} {
		o := &Order{BankReferences: map[string]Status{}}
		if tc.before != none {
			o.BankReferences["name"] = tc.before
		}
		if tc.taken {
			o.BankReferences["other"] = tc.reported
		}
		old := maps.Clone(o.BankReferences)
		snapshot := o.BankReferences
		o.noteReferences([]string{"name"}, tc.reported)
		require.Equal(t, tc.want, o.BankReferences["name"], "%+v", tc)
		require.Equal(t, old, snapshot, "a snapshot keeps what it knew")
	}
}
