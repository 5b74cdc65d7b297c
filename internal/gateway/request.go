package gateway

import (
	"time"

	"payrelay/internal/card"
	"payrelay/internal/money"
)

// Kind says what an order does with money.
type Kind string

// The kinds of order.
const (
	KindPayment    Kind = "payment"
	KindRefund     Kind = "refund"
	KindPayout     Kind = "payout"
	KindPayoutCard Kind = "payout_card"
	KindTransfer   Kind = "transfer"
)

// Operation is the last thing that was asked for an order. Providers answer with words whose meaning depends on it.
type Operation string

// The operations of an order's life.
const (
	OpSale      Operation = "sale"      // money is to be taken at once; also payouts, refunds, transfers
	OpAuthorize Operation = "authorize" // money is to be held
	OpCapture   Operation = "capture"   // held money is to be taken
	OpCancel    Operation = "cancel"    // held money is to be released, or an unpaid order given up
)

// Ref names an order to a provider.
type Ref struct {
	Kind      Kind
	Operation Operation
	// Flow is how the order was begun, empty where that is not known.
	Flow Flow
	// OrderID is the id that payrelay gave the order towards the provider. It is the key of an order everywhere.
	OrderID string
	// ProviderReference is the id that the provider gave it, empty while it is unknown.
	ProviderReference string
	// Amount is the order's sum; zero for a kind without one.
	Amount money.Money
	// Captured is how much of it was taken, in minor units; 0 while nothing is on record.
	Captured int64
	// CreatedAt is when the order was written down.
	CreatedAt time.Time
	// Parent is the payment that a refund or charge belongs to, nil otherwise.
	Parent *Ref
	// State is what the adapter asked to be remembered with the order in Result.State.
	State map[string]Secret
}

// Of returns the name with the payment that it belongs to.
func (r Ref) Of(parent Ref) Ref {
	r.Parent = &parent
	return r
}

// Customer is who pays or is paid. Every member may be empty; Gateway.Check tells what a provider needs.
type Customer struct {
	FirstName, LastName, MiddleName, Email, Phone, IP string
	BirthDate                                         time.Time
	Address                                           Address
}

// Address is a postal address. Country is ISO 3166 alpha-2.
type Address struct{ Line, City, PostalCode, Country string }

// Browser is what 3-D Secure wants to know of the customer's browser. Sizes are pixels, TimeZoneOffset minutes as
// JavaScript's getTimezoneOffset gives them.
type Browser struct {
	AcceptHeader, UserAgent, Language                     string
	JavaEnabled, JavaScriptEnabled                        *bool
	ColorDepth, ScreenHeight, ScreenWidth, TimeZoneOffset *int
}

// ReturnURLs is where the customer's browser goes afterwards. A return proves nothing about money.
type ReturnURLs struct{ Success, Fail, Status string }

// Recurring asks that the card may be charged again.
type Recurring struct {
	Enabled       bool
	FrequencyDays int
	ExpiresAt     time.Time
}

// Flow says who collects the card.
type Flow string

// The two flows.
const (
	FlowHosted Flow = "hosted" // the provider's own form
	FlowDirect Flow = "direct" // card data passes through payrelay's memory
)

// PaymentMethod is how the customer pays. At most one member is set; none means any method of the hosted form.
type PaymentMethod struct {
	Card       *card.Card
	ApplePay   *Wallet
	GooglePay  *Wallet
	StoredCard *StoredCard
	Mobile     *Mobile
}

// Wallet is a wallet's payload as it came, and the card network it names.
type Wallet struct {
	Token   card.Token
	Network string
}

// StoredCard is a card kept by the provider.
type StoredCard struct {
	ID  string
	CVC card.CVC
}

// Mobile is a phone number, E.164, to fill the form with.
type Mobile struct{ Phone string }

// PaymentRequest starts a payment. Ref.Operation is OpSale or OpAuthorize.
type PaymentRequest struct {
	Ref         Ref
	Flow        Flow
	Method      PaymentMethod
	Customer    Customer
	Browser     *Browser
	Description string
	SiteURL     string
	ReturnURLs  ReturnURLs
	CallbackURL string
	Recurring   Recurring
}

// RefundRequest gives back Refund.Amount of Payment. Last says that, by our own count, nothing is left of it then.
type RefundRequest struct {
	Refund, Payment Ref
	Last            bool
	Reason          string
	CallbackURL     string
}

// ChargeRequest charges Parent's card again. Period is one of daily, weekly, monthly, quarterly, annually, or empty.
type ChargeRequest struct {
	Ref         Ref
	Parent      Ref
	Description string
	Period      string
	CallbackURL string
}

// PayoutMethod is where money goes. Exactly one member is set.
type PayoutMethod struct {
	Card         *card.Card
	PayoutCardID string // OrderID of a succeeded payout_card order
	Phone        string
	BankAccount  *BankAccount
}

// BankAccount is a bank account as far as providers ask for it.
type BankAccount struct {
	Number, Holder, IIN, BIN, KBE, BankCode, BankName, PaymentPurposeCode string
	RecipientCode, SenderCode, RecipientRNN, RecipientName                string
	// WithdrawalProviderID is which of the provider's own routes is to carry a payout out, empty for its own choice.
	WithdrawalProviderID string
}

// PayoutRequest sends Ref.Amount out.
type PayoutRequest struct {
	Ref         Ref
	Method      PayoutMethod
	Customer    Customer
	Description string
	SiteURL     string
	CallbackURL string
}

// PayoutCardRequest opens a form for a payout card. Ref has no amount.
type PayoutCardRequest struct {
	Ref         Ref
	ReturnURLs  ReturnURLs
	CallbackURL string
}

// TransferEnd is one end of a transfer: a card kept by the provider, or a card.
type TransferEnd struct {
	CardID string
	Card   *card.Card
}

// TransferRequest moves Ref.Amount from one card to another.
type TransferRequest struct {
	Ref         Ref
	From, To    TransferEnd
	Customer    Customer
	Description string
	CallbackURL string
}

// TransferQuery names a transfer by the provider's own id, by its receipt's, or by both.
type TransferQuery struct{ ProviderID, ReceiptID string }

// TransactionReportRequest asks for the provider's transactions of a kind and status created in [From, To).
type TransactionReportRequest struct {
	Kind     Kind
	Status   Status
	From, To time.Time
}

// Balance is what an account holds, in minor units of its currency.
type Balance struct {
	Balance, Hold, Rolling int64
	Currency               money.Currency
}

// FieldError names a field of the merchant API, dotted, and says what is missing or wrong. The message goes on where
// the name ends, such as "is required". It never repeats a value.
type FieldError struct {
	Field, Message string
	// Unsupported says that the provider cannot be told this at all: leaving it out helps, and adding nothing does.
	Unsupported bool
}

// CaptureRequest asks for a held payment, all or part of it.
type CaptureRequest struct {
	Ref    Ref
	Amount money.Money
}

// Request is a request that moves money or leads to it. Gateway.Check takes each kind.
type Request interface{ request() }

func (PaymentRequest) request()    {}
func (CaptureRequest) request()    {}
func (RefundRequest) request()     {}
func (ChargeRequest) request()     {}
func (PayoutRequest) request()     {}
func (PayoutCardRequest) request() {}
func (TransferRequest) request()   {}
