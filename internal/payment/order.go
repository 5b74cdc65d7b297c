package payment

import (
	"maps"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// Order is everything that moves money: a payment, refund, payout, payout card or transfer.
type Order struct {
	ID        uuid.UUID
	ShopID    uuid.UUID
	Kind      gateway.Kind
	Reference string
	// RequestHash is a keyed hash of the request that made the order, for telling a repeat from another order.
	RequestHash []byte

	Status       Status
	StatusReason string // for people; nothing is decided by it
	// FormLost says that the provider has the order and nobody knows the address of its form, so the customer cannot go on.
	FormLost bool
	// Operation is the last thing that the provider was asked to do with it.
	Operation gateway.Operation
	// Manual says that money is held first and taken by a later capture.
	Manual bool

	// Amount is zero of no currency for a payout card.
	Amount money.Money
	// Sums in minor units of Amount's currency. RefundReserved counts refunds that succeeded or may yet.
	Authorized, Captured, Refunded, RefundReserved int64
	// CaptureAmount is what the last capture asked for, 0 before one.
	CaptureAmount int64
	// Disputed is how much of Captured disputes took, and Overdrawn how much they took beyond what refunds had left of it.
	Disputed, Overdrawn int64
	// DisputesOpen counts open disputes that refuse refunds.
	DisputesOpen int
	// ReportedAmount is the sum that a signed callback named of a captured part, until the provider was asked: a provider may
	// use one word for a hold and for what is captured from it, so a callback alone proves no capture.
	ReportedAmount *int64

	Flow      gateway.Flow
	Recurring bool
	// Cascade says which declines let it go to another account. It never changes.
	Cascade Cascade

	Provider          string
	AccountID         uuid.UUID
	AccountName       string
	ProviderOrderID   string
	ProviderReference string
	// BankReferences are the names of movements of money that were reported for the order, such as RRNs, each with the
	// status that it was reported for. One that contradicts the others has none.
	BankReferences map[string]Status
	// ProviderState is what the adapter asked to be handed back with the next call. Stored encrypted.
	ProviderState map[string]gateway.Secret

	NextAction    *gateway.NextAction
	PaymentMethod *gateway.MaskedMethod
	Failure       *gateway.Failure

	ParentID *uuid.UUID
	// SupersededBy is the record that carries the money which moved after this one had ended without any, nil if none did: a new
	// order, or for a refund a dispute of its payment.
	SupersededBy *uuid.UUID
	Description  string
	// Routing is the decision of routing rules as JSON, nil where none decided. It is never changed.
	Routing []byte
	// Details is what the shop told of its customer and site, as JSON in the words of the merchant API. A provider is sent
	// what it has fields for; the rest is kept here alone. Stored encrypted.
	Details         []byte
	Metadata        map[string]string
	NotificationURL string

	// Sequence is the number of transitions so far.
	Sequence int
	// Conflicts counts observations that contradicted what is stored. Anything above zero waits for an operator.
	Conflicts int

	CreatedAt, UpdatedAt time.Time
	FinalizedAt          *time.Time
	// Erased says that its texts and the provider's words are gone for good. Sums, statuses and history are as they were.
	Erased bool

	// Verification is what status polls have found so far, and when the next one is due.
	Verification

	// Fingerprint is a keyed hash of what a new payout or refund asks for, and AllowDuplicate says that it is meant beside another of
	// the same. Neither is stored with the order.
	Fingerprint    []byte
	AllowDuplicate bool
	// SettlesDisputes is how many open disputes of its payment end by a new refund. It is not stored.
	SettlesDisputes int
	// EndedAttempt is the attempt of the order that has ended and that a callback is about, nil for one about the order as it is. It
	// is not stored.
	EndedAttempt *EndedAttempt
	// Frozen says that the stored record is not as it was written: its seal is broken. It is not stored.
	Frozen bool
	// Destination is where a new payout goes, masked. It is not stored with the order.
	Destination string
	// Terms are those of the mandate that a new recurring payment makes. They are not stored with the order.
	Terms *MandateTerms
	// CardFingerprint is a keyed hash of the card number of a new direct payment. It is not stored with the order.
	CardFingerprint []byte

	// sameSumRefunds is how many other refunds of the same payment and sum the callback that is being judged could as well be
	// about. It is not stored.
	sameSumRefunds int
	// payment is a failed refund's, loaded and locked with it: a refund that was carried out after all is a dispute of it. It is
	// not stored.
	payment *Order

	// transitions and conflicts made since the order was loaded; the store saves them with the order.
	transitions []Transition
	conflicts   []ConflictRecord
	calls       []Call
	ended       []EndedAttempt
	late        *LateSuccess
	// what the parent's sums change by in the same transaction, minor units
	parentReserved, parentRefunded int64
}

// Source says on which road an observation came.
type Source string

// The roads to a transition.
const (
	SourceRequest    Source = "request"  // the shop asked
	SourceAnswer     Source = "answer"   // the provider's answer to a call
	SourceCallback   Source = "callback" // the provider called
	SourceStatusPoll Source = "check"    // we asked
	SourceOperator   Source = "operator" // a person decided
)

// Transition is one line of an order's history. It is never changed.
type Transition struct {
	Sequence     int
	From, To     Status
	Source       Source
	ProviderData gateway.ProviderData
	At           time.Time
	// After is the order as it was after this transition, for its notification. Only set on new transitions.
	After *Order
	// Dispute is the step of a dispute that this transition tells of, nil for every other.
	Dispute *DisputeStep
}

// Call is one call to the provider about an order: what, when, how long, and how it ended.
type Call struct {
	// ID is given by whoever may write the call down twice; the store gives one to a call that has none.
	ID           uuid.UUID
	Operation    string
	Outcome      string // a gateway status or error kind
	StartedAt    time.Time
	Duration     time.Duration
	ProviderData gateway.ProviderData
	// Failed says that it was a question without an answer: one that fails as the last one did is counted with it.
	Failed bool
	// Count is how many calls in a row failed like this, the last one at LastAt; Duration is that of the longest. The store
	// fills both.
	Count  int
	LastAt time.Time
}

// ConflictRecord is an observation that contradicted what is stored. It changes nothing and is shown to operators.
type ConflictRecord struct {
	Source       Source
	Reason       string
	Reported     Status
	ProviderData gateway.ProviderData
	At           time.Time
}

// Ref returns the order's name towards the provider.
func (o *Order) Ref() gateway.Ref {
	return gateway.Ref{
		Kind: o.Kind, Operation: o.Operation, Flow: o.Flow, OrderID: o.ProviderOrderID, ProviderReference: o.ProviderReference,
		Amount: o.Amount, Captured: o.Captured, CreatedAt: o.CreatedAt, State: o.ProviderState,
	}
}

// Transitions returns what happened since the order was loaded.
func (o *Order) Transitions() []Transition { return o.transitions }

// NewConflicts returns the contradictions found since the order was loaded.
func (o *Order) NewConflicts() []ConflictRecord { return o.conflicts }

// NewCalls returns the calls added since the order was loaded.
func (o *Order) NewCalls() []Call { return o.calls }

// AddCall keeps a call with the order.
func (o *Order) AddCall(c Call) { o.calls = append(o.calls, c) }

func (o *Order) addCalls(calls []Call) { o.calls = append(o.calls, calls...) }

// ParentDelta returns by how much the parent's reserved and refunded sums change with what happened, in minor units.
func (o *Order) ParentDelta() (reserved, refunded int64) { return o.parentReserved, o.parentRefunded }

// unknownTo returns the parts of an adapter's state of which the order holds nothing yet.
func unknownTo(o *Order, state map[string]gateway.Secret) map[string]gateway.Secret {
	fresh := maps.Clone(state)
	maps.DeleteFunc(fresh, func(key string, _ gateway.Secret) bool { _, known := o.ProviderState[key]; return known })
	return fresh
}

// Saved forgets what happened since the order was loaded, once the store has committed it.
func (o *Order) Saved() {
	o.transitions, o.conflicts, o.calls, o.ended, o.late, o.payment, o.parentReserved, o.parentRefunded = nil, nil, nil, nil, nil, nil, 0, 0
}

// snapshot keeps the order as it is now with its newest transition.
func (o *Order) snapshot() {
	after := *o
	after.transitions, after.conflicts, after.calls, after.ended, after.late, after.payment = nil, nil, nil, nil, nil, nil
	o.transitions[len(o.transitions)-1].After = &after
}

// step moves the order along a legal step and writes it into the history. An illegal step is a programmer's mistake:
// Record never asks for one, and the database would refuse it.
func (o *Order) step(to Status, source Source, providerData gateway.ProviderData, at time.Time) {
	if !Legal(o.Status, to) {
		panic("payment: illegal step from " + string(o.Status) + " to " + string(to))
	}
	o.Sequence++
	o.transitions = append(o.transitions, Transition{Sequence: o.Sequence, From: o.Status, To: to, Source: source, ProviderData: providerData, At: at})
	o.Status, o.UpdatedAt = to, at
	if to.Final() {
		o.NextAction = nil
		if o.FinalizedAt == nil {
			o.FinalizedAt = &at
		}
	}
	// A redirect stays while the provider works, so that a customer who closed the page can go back to it.
	if o.NextAction != nil && to != StatusRequiresAction && (to != StatusProcessing || o.NextAction.Type != gateway.ActionRedirect) {
		o.NextAction = nil
	}
	o.Verification = o.OnStep(o.facts(), at)
}
