package smartcore

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/recipe"
	"payrelay/internal/sandbox/record"
	"payrelay/internal/sandbox/testcard"
)

// The four statuses (smartcore.md 7).
const (
	StatusFailed     = -1 // after a cancel: cancelled
	StatusWaiting    = 0  // waiting for the customer's browser
	StatusProcessing = 1
	StatusSuccess    = 2
)

// The codes of the dictionary that the simulator uses by itself (smartcore.md 8).
const (
	CodeProcessing        = "PROCESSING_ERROR"
	CodeAuthentication    = "AUTHENTICATION_PROCESSING_ERROR"
	CodeEmitterDenial     = "EMITTER_DENIAL_PROCESSING_ERROR"
	CodeFormTimeout       = "FORM_TIMEOUT_PROCESSING_ERROR"
	CodeInsufficientFunds = "INSUFFICIENT_FUNDS_PROCESSING_ERROR"
	CodeRedirectTimeout   = "3DS_REDIRECT_TIMEOUT_PROCESSING_ERROR"
	Code3DSTimeout        = "3DS_TIMEOUT_PROCESSING_ERROR"
	Code3DSCancel         = "3DS_CANCEL_PROCESSING_ERROR"
	CodeValidation        = "VALIDATION_PROCESSING_ERROR"
	CodeDuplicate         = "PLATFORM_ERROR_DUPLICATED_ORDER_ID"
	CodeExchange          = "PLATFORM_ERROR_ERROR_GATE_EXCHANGE_NOT_ALLOWED"
	CodeCardTimeLimit     = "CARD_TIME_LIMIT_PROCESSING_ERROR"
	CodeGateNotFound      = "PLATFORM_ERROR_GATE_NOT_FOUND"
)

// The documented test cards (smartcore.md 9).
const (
	CardFrictionless = "4012000000003010"
	CardChallenge    = "4003830171874018"
)

// TestCard is a card of the sandbox and what it does.
type TestCard struct{ Number, Does string }

// Declines are cards that are declined with a code of the dictionary (smartcore.md 8). The numbers are ours: the documents know the
// two cards above, and decline any other.
var Declines = []TestCard{
	{"4000000000001018", CodeInsufficientFunds},
	{"4000000000001026", "DO_NOT_HONOUR_PROCESSING_ERROR"},
	{"4000000000001034", "LIMIT_PROCESSING_ERROR"},
	{"4000000000001042", CodeAuthentication},
	{"4000000000001059", "PROCESSOR_DENIAL_PROCESSING_ERROR"},
	{"4000000000001067", "TECHNICAL_PROCESSING_ERROR"},
	{"4000000000001075", CodeValidation},
	{"4000000000001083", CodeGateNotFound}, // because of the rules against fraud, as its cascadeErrors say
	{"4000000000001091", CodeExchange},
	{"4000000000001109", CodeCardTimeLimit},
	{"4000000000001117", "PLATFORM_ORDER_BILLING_ERROR"},
	{"4000000000001125", CodeProcessing},
}

// Operation is what the merchant asked for.
type Operation string

// The operations that make an order.
const (
	OpForm      Operation = "payment_form"
	OpMobile    Operation = "payment_form_mobile_commerce"
	OpCard      Operation = "direct_card"
	OpApplePay  Operation = "direct_apple_pay"
	OpGooglePay Operation = "direct_google_pay"
	OpAuthorize Operation = "authorize"
	OpRecurrent Operation = "recurrent"
	OpRefund    Operation = "refund"
	OpCabinet   Operation = "cabinet_refund" // by the merchant in the provider's cabinet
	OpBack      Operation = "chargeback"
	OpTokenize  Operation = "tokenize_form"

	OpWithdrawalCard    Operation = "withdrawal_card"
	OpWithdrawalPhone   Operation = "withdrawal_phone_balance"
	OpWithdrawalToken   Operation = "withdrawal_token"
	OpWithdrawalAccount Operation = "withdrawal_account"
)

// typeRefund is the type of everything that gives money back. The documents know no other word (smartcore.md 4.6).
const typeRefund = "Refund"

// Stage is what an unfinished order waits for.
type Stage string

// The stages of an order.
const (
	StageForm       Stage = "form"       // the customer has the form
	StageRedirect   Stage = "redirect"   // a direct payment whose page was not opened yet
	StageACS        Stage = "acs"        // the customer is on the 3-D Secure page
	StageProcessing Stage = "processing" // nothing to do but wait
	StageAuthorized Stage = "authorized" // money is held, capture or cancel may follow
	StageDone       Stage = "done"
)

// Card is what the simulator keeps of a card.
type Card struct {
	Number  string `json:"number"` // masked
	BIN     string `json:"bin"`
	Country string `json:"country"`
	ISO     string `json:"iso"`
	Type    string `json:"type"`
	Holder  string `json:"holder,omitempty"`
	Month   string `json:"exp_month,omitempty"`
	Year    string `json:"exp_year,omitempty"`

	behaviour behaviour
	code      string // of a decline, if the number says which
}

// behaviour is what the number made the simulator decide before it was forgotten.
type behaviour int

const (
	behaviourDecline behaviour = iota
	behaviourSuccess
	behaviourChallenge
	behaviourExpired
)

// Event is one line of an order's history.
type Event struct {
	At     time.Time `json:"at"`
	Text   string    `json:"text"`
	Status int       `json:"status"`
}

// Order is one order or refund as the provider knows it.
type Order struct {
	OrderID         string         `json:"order_id"` // the merchant's id; for a refund or chargeback the payment's
	Merchant        string         `json:"merchant"` // the key
	ProcessingID    string         `json:"processing_id"`
	UUID            string         `json:"uuid,omitempty"` // refund_id or payment_id
	Operation       Operation      `json:"operation"`
	Type            string         `json:"type"`
	Account         string         `json:"account"`
	Currency        string         `json:"currency"`
	Amount          int64          `json:"amount"`
	FinalAmount     int64          `json:"final_amount"`
	Refunded        int64          `json:"refunded"` // sum of refunds that did not fail
	Status          int            `json:"status"`
	Stage           Stage          `json:"stage"`
	Canceled        bool           `json:"canceled,omitempty"`
	Error           string         `json:"error,omitempty"`
	Cascade         []CascadeError `json:"cascade,omitempty"`
	AuthorizeStatus string         `json:"authorize_status,omitempty"`
	Parent          string         `json:"parent_transaction,omitempty"`
	Recurrent       bool           `json:"recurrent,omitempty"`
	Card            *Card          `json:"card,omitempty"`
	Phone           string         `json:"phone,omitempty"`
	FirstName       string         `json:"first_name,omitempty"`
	LastName        string         `json:"last_name,omitempty"`
	Purpose         string         `json:"purpose,omitempty"`
	Site            string         `json:"merchant_site,omitempty"`
	RRN             string         `json:"rrn,omitempty"`
	EarlierRRNs     []string       `json:"earlier_rrns,omitempty"` // of a payment that was taken more than once
	ECI             string         `json:"eci,omitempty"`
	CallbackURL     string         `json:"callback_url,omitempty"`
	SuccessURL      string         `json:"success_url,omitempty"`
	FailURL         string         `json:"fail_url,omitempty"`
	FormURL         string         `json:"form_url,omitempty"`
	CreatedAt       time.Time      `json:"created_at"`
	EndedAt         *time.Time     `json:"ended_at,omitempty"`
	Checks          int            `json:"checks"`
	History         []Event        `json:"history"`
	Callbacks       []*Callback    `json:"callbacks"`

	// visit counts stage changes, so that a timeout set in one stage cannot end a later one.
	visit  int
	parent *Order
	outbox callback.Outbox
	// pendingOp is a capture or cancel that was accepted and not finished.
	pendingOp string
	// muted keeps callbacks back.
	muted bool
	// recipe is what happens to the order by its amount, nil for nothing.
	recipe *recipe.Recipe
}

// is reports whether the order's recipe has an outcome.
func (o *Order) is(outcome recipe.Outcome) bool {
	return o.recipe != nil && o.recipe.Outcome == outcome
}

// Terminal reports whether the order's own operation is over.
func (o *Order) Terminal() bool { return o.Stage == StageDone || o.Stage == StageAuthorized }

// Back reports whether money goes back to a customer: a refund or a chargeback, which have no merchant id of their own.
func (o *Order) Back() bool { return o.Type == typeRefund }

// Withdrawal reports whether money goes out.
func (o *Order) Withdrawal() bool { return o.Type == "Withdrawal" }

func (o *Order) clone() Order {
	c := *o
	c.History = slices.Clone(o.History)
	c.Callbacks = make([]*Callback, len(o.Callbacks))
	for i, kept := range o.Callbacks {
		cb := *kept
		cb.Delivery = kept.Clone()
		c.Callbacks[i] = &cb
	}
	c.Cascade, c.EarlierRRNs = slices.Clone(o.Cascade), slices.Clone(o.EarlierRRNs)
	if o.Card != nil {
		card := *o.Card
		c.Card = &card
	}
	if o.EndedAt != nil {
		at := *o.EndedAt
		c.EndedAt = &at
	}
	c.parent, c.outbox = nil, callback.Outbox{}
	return c
}

func newCard(digits, holder, month, year string) *Card {
	c := &Card{
		Number: testcard.Mask(digits), BIN: digits[:6], Country: "United Kingdom", ISO: "GBR",
		Type: testcard.Brand(digits), Holder: record.Text(holder), Month: month, Year: year,
	}
	switch digits {
	case CardFrictionless:
		c.Country, c.ISO, c.behaviour = "Spain", "ESP", behaviourSuccess
	case CardChallenge:
		c.behaviour = behaviourChallenge
	}
	for _, d := range Declines {
		if d.Number == digits {
			c.code = d.Does
		}
	}
	return c
}

// expire declines a card whose last month is over. The dictionary has no word for it (smartcore.md 8), so it is the
// issuer's decline. The documents' own examples pay with 02/25, and do so for ever.
func (t *Simulator) expire(c *Card) {
	last, err := time.Parse("01/2006", c.Month+"/20"+c.Year)
	if now := t.now().UTC(); err == nil && c.Month+"/"+c.Year != "02/25" && now.After(last.AddDate(0, 1, 0)) {
		c.behaviour = behaviourExpired
	}
}

func cascadeJSON(list []CascadeError) string {
	if len(list) == 0 {
		return "null"
	}
	b, _ := json.Marshal(list) // plain strings and integers cannot fail
	return string(b)
}

func orNull(s string) string {
	if strings.TrimSpace(s) == "" {
		return "null"
	}
	return s
}
