package uapay

import (
	"slices"
	"time"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/recipe"
	"payrelay/internal/sandbox/testcard"
)

// Values of the payment system (uapay.md 8.9).
const (
	SystemOpen     = "OPEN"
	SystemPending  = "PENDING"
	SystemConfirm  = "NEEDS_CONFIRMATION"
	SystemPayed    = "PAYED"
	SystemHolded   = "HOLDED"
	SystemFinished = "FINISHED"
	SystemRejected = "REJECTED"
	SystemCanceled = "CANCELED"
	SystemClosed   = "CLOSED"
	SystemReversed = "REVERSED"
)

// Values of the invoicer (uapay.md 8.9).
const (
	InvoicerNew      = "NEW"
	InvoicerPaid     = "PAID"
	InvoicerFinished = "FINISHED"
	InvoicerReversed = "REVERSED"
	InvoicerCanceled = "CANCELED"
)

// Kind is what the merchant asked for.
type Kind string

// The kinds of orders.
const (
	KindInvoice Kind = "INVOICE"
	KindDirect  Kind = "DIRECT"
	KindC2A     Kind = "C2A"
	KindA2C     Kind = "A2C"
)

// Stage is what a payment waits for.
type Stage string

// The stages of a payment.
const (
	StageInitiated Stage = "initiated" // a C2A or A2C before its complete
	StageOpen      Stage = "open"      // being decided
	Stage3DS       Stage = "3ds"       // the payer has to visit the bank's page
	StageLookup    Stage = "lookup"    // the payer has to type a code
	StagePending   Stage = "pending"   // nothing to do but wait
	StageHeld      Stage = "held"      // money is blocked; complete or cancel may follow
	StageDone      Stage = "done"
)

// The sandbox cards: our invention, the provider's list is not known (uapay.md 11).
const (
	CardSuccess = "4111111111111111"
	Card3DS     = "5454545454545454"
	CardLookup  = "4000000000000101"
	CardReject  = "4000000000000002"
	CardPending = "4000000000000119"
	CardCancel  = "4000000000000127"
	CardClose   = "4000000000000135"
)

type behaviour int

const (
	behaviourUnknown behaviour = iota
	behaviourSuccess
	behaviour3DS
	behaviourLookup
	behaviourReject
	behaviourPending
	behaviourCancel
	behaviourClose
)

var behaviours = map[string]behaviour{
	CardSuccess: behaviourSuccess, Card3DS: behaviour3DS, CardLookup: behaviourLookup,
	CardReject: behaviourReject, CardPending: behaviourPending, CardCancel: behaviourCancel, CardClose: behaviourClose,
}

// Card is a stored card; its number is forgotten.
type Card struct {
	ID string `json:"id"`
	// Masked are the first six and the last four digits glued together.
	Masked string `json:"masked"`
	Brand  string `json:"brand"`

	client    string
	behaviour behaviour
}

func newCard(client, digits string) *Card {
	return &Card{
		ID: newID(), Masked: digits[:6] + digits[len(digits)-4:], Brand: testcard.Brand(digits),
		client: client, behaviour: behaviours[digits],
	}
}

// Event is one line of an order's history.
type Event struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Order is one invoice or one P2P transfer as the provider knows it.
type Order struct {
	ID          string     `json:"id"` // of the invoice; a transfer has the id of its payment
	ExternalID  string     `json:"external_id"`
	Kind        Kind       `json:"kind"`
	ClientID    string     `json:"client_id"`
	SystemType  string     `json:"system_type"`
	Type        string     `json:"type"`
	Number      int64      `json:"number"`
	Amount      int64      `json:"amount"` // kopecks; 0 is an open amount
	Description string     `json:"description"`
	Reusable    bool       `json:"reusable"`
	Inactive    bool       `json:"inactive"`
	RedirectURL string     `json:"redirect_url,omitempty"`
	CallbackURL string     `json:"callback_url,omitempty"`
	PageURL     string     `json:"page_url,omitempty"`
	Email       string     `json:"email,omitempty"`
	ExtraInfo   string     `json:"extra_info,omitempty"`
	Tag         string     `json:"tag,omitempty"`
	Services    []any      `json:"services,omitempty"`
	CardTo      *Card      `json:"card_to,omitempty"`
	PayUntil    *time.Time `json:"pay_until,omitempty"`
	// Interval (days), ExpiresAt and PlannedAt belong to subscriptions.
	Interval  int64       `json:"interval,omitempty"`
	ExpiresAt *time.Time  `json:"expires_at,omitempty"`
	PlannedAt *time.Time  `json:"planned_at,omitempty"`
	Phone     string      `json:"phone,omitempty"`
	CreatedAt time.Time   `json:"created_at"`
	Payments  []*Payment  `json:"payments"` // oldest first
	Reads     int         `json:"reads"`
	History   []Event     `json:"history"`
	Callbacks []*Callback `json:"callbacks"`

	// lastDue is the planned time of the latest charge of a subscription.
	lastDue time.Time
	outbox  callback.Outbox
	// muted keeps callbacks back.
	muted bool
	// recipe is what happens to the order by its amount, nil for nothing.
	recipe *recipe.Recipe
}

// Payment is one attempt to pay an order.
type Payment struct {
	ID           string      `json:"id"`
	Number       int64       `json:"number"`
	ReceiptID    string      `json:"receipt_id"`
	Amount       int64       `json:"amount"`
	Commission   int64       `json:"commission"`
	Held         int64       `json:"held,omitempty"`
	Refunded     int64       `json:"refunded,omitempty"`
	System       string      `json:"system_status"`
	Invoicer     string      `json:"invoicer_status"`
	Stage        Stage       `json:"stage"`
	AttemptsLeft int         `json:"attempts_left,omitempty"`
	Card         *Card       `json:"card,omitempty"`
	Email        string      `json:"email,omitempty"`
	ReturnURL    string      `json:"return_url,omitempty"`
	Locale       string      `json:"locale,omitempty"`     // of the payer, as the merchant named it
	Operations   []Operation `json:"operations,omitempty"` // of transfers
	CreatedAt    time.Time   `json:"created_at"`
	UpdatedAt    time.Time   `json:"updated_at"`
	PaidAt       *time.Time  `json:"paid_at,omitempty"`
	ReversedAt   *time.Time  `json:"reversed_at,omitempty"`

	key, md string
	// hosted payments are made on the payer's page and decided at once.
	hosted bool
	// unchallenged payments never ask the payer.
	unchallenged bool
	// visit counts stage changes, so that a timeout set in one stage cannot end a later one.
	visit int
	// busy is a follow-up that was acknowledged and not carried out yet.
	busy bool
	// notRefunded is the sum of the last refund that was refused, or acknowledged and ignored.
	notRefunded int64
}

// Operation is one debit, credit or refund of a transfer.
type Operation struct {
	ID         string    `json:"id"`
	ExternalID string    `json:"external_id,omitempty"`
	Type       string    `json:"type"` // SEND, RECEIVE or RETURN
	Status     string    `json:"status"`
	Amount     int64     `json:"amount"`
	Commission int64     `json:"commission"`
	CreatedAt  time.Time `json:"created_at"`
}

// Terminal reports whether the payment's outcome is known; money that is held counts.
func (p *Payment) Terminal() bool { return p.Stage == StageDone || p.Stage == StageHeld }

// Payment returns the newest payment, nil when there is none.
func (o *Order) Payment() *Payment {
	if len(o.Payments) == 0 {
		return nil
	}
	return o.Payments[len(o.Payments)-1]
}

// Terminal reports whether the newest payment's outcome is known, or none can follow.
func (o *Order) Terminal() bool {
	if p := o.Payment(); p != nil {
		return p.Terminal()
	}
	return o.Inactive
}

// Movable reports whether the payer, or a test in the payer's place, can still
// do something: pay, answer a challenge, or let a hold expire.
func (o *Order) Movable() bool {
	p := o.Payment()
	return !o.Inactive && (p == nil || p.Stage != StageDone || o.Reusable)
}

// Word is the state of an order in one plain word, as pages show it.
func (o *Order) Word() string {
	p := o.Payment()
	switch {
	case p == nil && o.Inactive:
		return "canceled"
	case p == nil:
		return "waiting"
	}
	return p.Word()
}

// Word is the state of a payment in one plain word.
func (p *Payment) Word() string {
	switch p.System {
	case SystemFinished:
		return "success"
	case SystemHolded:
		return "authorized"
	case SystemRejected, SystemClosed:
		return "failed"
	case SystemCanceled:
		return "canceled"
	case SystemReversed:
		return "refunded"
	case SystemConfirm:
		return "waiting"
	default:
		return "processing"
	}
}

func (o *Order) payment(id string) *Payment {
	for _, p := range o.Payments {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (p *Payment) operation(kind string) *Operation {
	for i := len(p.Operations) - 1; i >= 0; i-- {
		if p.Operations[i].Type == kind {
			return &p.Operations[i]
		}
	}
	return nil
}

func (o *Order) clone() Order {
	c := *o
	c.outbox = callback.Outbox{}
	c.History = slices.Clone(o.History)
	c.Services = slices.Clone(o.Services)
	c.Callbacks = make([]*Callback, len(o.Callbacks))
	for i, kept := range o.Callbacks {
		cb := *kept
		cb.Delivery = kept.Clone()
		c.Callbacks[i] = &cb
	}
	c.Payments = make([]*Payment, len(o.Payments))
	for i, p := range o.Payments {
		q := *p
		q.Operations = slices.Clone(p.Operations)
		c.Payments[i] = &q
	}
	return c
}
