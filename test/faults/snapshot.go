package faults

import (
	"strings"
	"time"

	"payrelay/internal/store"
)

// State is what became of an order at its provider, in words that both simulators share.
type State string

// The states of a provider's order.
const (
	Absent   State = "absent"   // the provider never heard of it
	Open     State = "open"     // the customer, or the provider, has not decided
	Held     State = "held"     // money is held
	Paid     State = "paid"     // money moved
	Failed   State = "failed"   // refused, no money moved
	Canceled State = "canceled" // given up, no money moved
	Empty    State = "empty"    // an invoice that nobody was shown, without the payment that was to be in it
)

// Effect is one order of a provider's ledger, or one refund of one.
type Effect struct {
	Provider  string
	Merchant  string // the provider's name of whom the order is of
	ID        string // what we call the order towards the provider; for a refund, its payment's
	RefundID  string // the provider's id of a refund, empty for orders and for providers that give none
	ChargeID  string // the provider's id of a charge that it made by its own schedule
	Reference string // of the shop's order, as it travelled in the description; empty if it did not travel
	Kind      string // payment, payout, payout_card, transfer, refund; unasked: given back without a request; scheduled: charged without one
	State     State
	Sum       int64  // what moved or is held, minor units
	Currency  string // empty where the provider's records do not say
	Code      string // why it failed, where the provider says
	// Acknowledged says that the provider's genuine callback about how it ended was acknowledged.
	Acknowledged bool
	// Begun and Ended are the provider's own times of a refund, zero where it keeps none.
	Started, Ended time.Time
}

// Row is one order of the database.
type Row struct {
	ID, Shop, Kind, Reference string
	Status, Provider          string
	Account                   string
	ProviderOrderID           string
	ProviderReference         string
	Parent                    string
	Amount, Captured          int64
	Currency                  string
	Asked                     int64 // what the shop asked for last: a part by a capture, else Amount
	Authorized                int64
	Refunded, Reserved        int64
	Sequence, Conflicts       int
	CreatedAt                 time.Time
	FinalizedAt               *time.Time
	Steps                     []Step
	ConflictReasons           []string
	Applied                   int // callbacks kept with the verdict that they led to a step
	// Ended are the attempts before the present one, in their order.
	Ended []Ended
	// Disputes are those about the payment's money.
	Disputes []Dispute
	// Answered says that the answer to a refund's call came back.
	Answered bool
	// Called is when a refund's or payout's call began that was written down, whether it was answered or not; nil if none was.
	Called *time.Time
	// CallTook is how long the last of these calls lasted, from Called on.
	CallTook time.Duration
}

// Step is one transition of an order.
type Step struct {
	Sequence        int
	From, To, Cause string
	At              time.Time
}

// Dispute is a record of money that moved by itself.
type Dispute struct {
	Kind   string
	Amount int64
}

// Movement is money of a payment that moved at its provider without a request.
type Movement struct {
	Order        string
	Provider     string // what the order is called at its provider, in the attempt that the money is of
	What         string // as the simulator calls it
	Amount       int64
	Acknowledged bool // a genuine callback that tells of it was
}

// Ended is an attempt of an order at an account that is over.
type Ended struct {
	Number          int
	Account         string
	ProviderOrderID string
	Reason          string
	At              time.Time
	// FailureCode is the provider's, of a decline.
	FailureCode string
	// Outcomes are those of the calls that were to make the order and had begun when the attempt ended.
	Outcomes []string
	// Shown says that a question was on record then whose answer showed the order as failed.
	Shown bool
}

// Declined reports whether the attempt ended because of a decline.
func (e Ended) Declined() bool { return strings.HasPrefix(e.Reason, "declined_by_") }

// Attempt is one attempt of an order as its shop is shown it.
type Attempt struct {
	Number          int    `json:"number"`
	Account         string `json:"account"`
	ProviderOrderID string `json:"provider_order_id"`
	Status          string `json:"status"`
	Reason          string `json:"reason"`
	FailureCode     string `json:"failure_code"`
}

// Notice is one notification as a shop received it.
type Notice struct {
	Shop, Order string
	Sequence    int
	Status      string
	Captured    int64
	Genuine     bool   // the signature held
	Payload     string // its bytes
}

// Answer is what a shop was answered about an order it asked for: the first answer of 2xx.
type Answer struct {
	Shop, Kind, Reference string
	Order                 string // the order's id in the answer
	Status                int    // of the first answer
	Keyed                 bool   // the request had an Idempotency-Key
	RequestID             string // of the first answer
	Replayed              string // the order's id in the answer to the same request sent again at the end; empty if it was not sent
	ReplayStatus          int
	Verbatim              bool // that answer says that it is the first one again
	Changed               bool // it says so, and has another text
	// OtherBody and OtherOrder are the codes that another request was refused with, under the same Idempotency-Key and
	// under the same reference without one; "accepted" if it was not, and empty if it was not sent.
	OtherBody, OtherOrder string
}

// Acknowledged is a provider's callback that was answered with 200.
type Acknowledged struct {
	Account string
	Key     string // the dedupe key, hex
}

// Listing is a statement that a shop was promised, as it is at the end.
type Listing struct {
	ID    string
	State string // empty if it is not there
	Fails bool   // the provider makes none
	File  bool   // its file could be read
}

// Crash is an answer that no fault excuses: an internal error.
type Crash struct{ Where, What string }

// Contradiction is a genuine callback of a provider that says the opposite of how an order had ended.
type Contradiction struct {
	Order        string
	Acknowledged bool // it was acknowledged
}

// Snapshot is everything that the checker compares.
type Snapshot struct {
	Effects    []Effect
	Rows       []Row
	Notices    []Notice // in the order of their receipt
	Answers    []Answer
	Listings   []Listing
	Unanswered []string // requests that the shops sent again and again, until long after the faults, without an answer
	Callbacks  []Acknowledged
	Kept       map[string]bool // callbacks in the database, by account and dedupe key
	Legal      map[[2]string]bool
	Crashes    []Crash
	// Unkept are the requests whose answer could not be kept for its Idempotency-Key while the database was away.
	Unkept         map[string]bool
	Contradictions []Contradiction
	Movements      []Movement
	Requests       []Request
	Views          []View
	Refusals       []Refusal
	Probes         []Probe
	Calls          []Call // that may move money, as the simulators saw them
	Forgeries      []Forgery
	Injections     []Injection // faults that took effect
	Exits          []Exit
	Away           []string        // replicas that were not ready long after the faults
	Altered        []store.Finding // rows whose seal does not hold, or that differ from each other
	// Before is what the snapshot said before all requests were sent again; nil if that was not read.
	Before *Reading
	// Attempts are those of payments as their shops were shown them at the end, by order.
	Attempts map[string][]Attempt
	// Carried says of each attempt that ended, by what the order was called there, whether bytes of a call
	// that may move money and has that name left for a provider.
	Carried map[string]bool
}

// Reading is the provider's records and ours at one time.
type Reading struct {
	Effects []Effect
	Rows    []Row
}

// Exit is the end of a process that no fault had ended.
type Exit struct {
	Replica, How string
	At           time.Time
}
