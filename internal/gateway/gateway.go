package gateway

import (
	"cmp"
	"context"
	"io"
	"net/url"
	"slices"
	"time"

	"payrelay/internal/money"
)

// Driver makes gateways of one provider. It is safe for concurrent use.
type Driver interface {
	// Name is the provider's name in addresses, rows and metrics, such as "smartcore".
	Name() string
	// Describe tells what accounts of this provider must be configured with.
	Describe() Description
	// Open returns the gateway for an account. The error says what is wrong with the account's settings.
	Open(account Account) (Gateway, error)
}

// Description is what a driver needs to know of an account, and what payment needs to know of the provider.
type Description struct {
	// Settings lists the names of plain settings an account may have (base URLs and switches).
	Settings []Setting
	// Currencies says in a few words which currencies accounts may hold.
	Currencies string
	// Secrets lists the names of the secrets an account must or may have.
	Secrets []Setting
	// VisibilityDelay is how long the provider may take to show an order that it has accepted. Before it has passed,
	// "no such order" proves nothing.
	VisibilityDelay time.Duration
	// Horizon is how long the provider can be asked about an order.
	Horizon time.Duration
	// OwnSchedule says that the provider charges mandates by its own schedule. Its gateways are no Chargers then.
	OwnSchedule bool
	// FailedIsFinal says that a payment which a status poll shows as failed cannot be paid any more, by its documents.
	FailedIsFinal bool
}

// Setting describes one setting or secret of an account.
type Setting struct {
	Name, Help, Default string
	Required            bool
	// Host says that the setting is the address that calls go to.
	Host bool
	// Merchant says that it names the merchant: no two payments of one share an id.
	Merchant bool
	// Target says that it decides which installation of the provider, or which part of it, is asked about an order. A denial of
	// an order that was sent before such a change, or to another merchant, proves nothing.
	Target bool
}

// directs reports whether the setting decides where calls about an order go, or as whose.
func (s Setting) directs() bool { return s.Target || s.Merchant }

// Moves reports whether calls about orders go elsewhere, or are made as somebody else, after an account has changed.
func (d Description) Moves(before, after Account) bool {
	for _, s := range d.Settings {
		if s.directs() && cmp.Or(before.Settings[s.Name], s.Default) != cmp.Or(after.Settings[s.Name], s.Default) {
			return true
		}
	}
	for _, s := range d.Secrets {
		if s.directs() && before.Secrets[s.Name] != after.Secrets[s.Name] {
			return true
		}
	}
	return false
}

// Account is a merchant account at a provider, as an operator set it up.
type Account struct {
	ID       string
	Name     string
	Currency money.Currency
	Settings map[string]string
	Secrets  map[string]Secret
}

// Gateway is an account at a provider. It is safe for concurrent use. Every method honours ctx's deadline.
type Gateway interface {
	// CreatePayment starts a payment.
	CreatePayment(ctx context.Context, req PaymentRequest) (Result, error)
	// Fetch asks what the provider knows of an order. An order it does not know is an error of KindNotFound.
	Fetch(ctx context.Context, ref Ref) (Result, error)
	// ReadCallback verifies a callback over its raw bytes and translates it. It does no I/O. An error of KindRejected
	// means that it must not be believed at all.
	ReadCallback(raw RawCallback) (Notification, error)
	// Check lists what the provider needs for a request and the request lacks, and what the request has and the provider
	// cannot be told. A text is sent as it came or listed. Facts about the customer and the site that the provider has no
	// field for are kept with the order, and not listed. Nothing is sent. Of a request for something that the gateway
	// cannot do it says nothing.
	Check(req Request) []FieldError
}

// Capturer captures a held payment, all or part of it.
type Capturer interface {
	Capture(ctx context.Context, ref Ref, amount money.Money) (Result, error)
}

// HoldProber is a gateway that can tell later whether a lost capture or cancel arrived only if it knows how the hold looked just
// before: Fetch is called, and its State kept, before each. HoldUnverified reports whether Ref's State tells nothing of the hold, so
// that no capture or cancel may be sent yet. It makes no call.
type HoldProber interface {
	HoldUnverified(ref Ref) bool
}

// Canceler releases a held payment.
type Canceler interface {
	Cancel(ctx context.Context, ref Ref) (Result, error)
}

// UnpaidCanceler is a Canceler that can also give up a payment that nobody has paid yet, if CancelsUnpaid says so.
type UnpaidCanceler interface {
	Canceler
	CancelsUnpaid() bool
}

// Refunder gives money back. The result is about the refund, whose own Ref is req.Refund. Its State is kept also if there
// is an error: what the adapter saw before it asked.
type Refunder interface {
	Refund(ctx context.Context, req RefundRequest) (Result, error)
}

// Charger charges a stored recurring payment again.
type Charger interface {
	Charge(ctx context.Context, req ChargeRequest) (Result, error)
}

// ScheduleEnder is a gateway whose provider charges a recurring payment again by its own schedule, and takes no single charge.
type ScheduleEnder interface {
	// EndSchedule has the provider end the schedule of a payment, whose charges are days apart. It returns until when a charge that
	// was planned before may come. It may be asked again.
	EndSchedule(ctx context.Context, ref Ref, days int) (until time.Time, err error)
}

// Holder is a gateway that holds calls back while the ones before them failed.
type Holder interface {
	// HeldBack returns for how long the call that ref's Operation asks for would be held back if it came now, 0 if it
	// would be sent. It makes no call.
	HeldBack(ref Ref) time.Duration
}

// AnswerVerifier is a gateway of a provider that signs its answers.
type AnswerVerifier interface {
	// VerifiesAnswers reports whether an answer without the right signature is an error.
	VerifiesAnswers() bool
}

// CodeConfirmer answers a confirm_code action.
type CodeConfirmer interface {
	ConfirmCode(ctx context.Context, ref Ref, code Secret) (Result, error)
}

// Payer sends money out.
type Payer interface {
	Payout(ctx context.Context, req PayoutRequest) (Result, error)
}

// PayoutCardOpener opens a form on which a customer leaves a card for payouts.
type PayoutCardOpener interface {
	OpenPayoutCard(ctx context.Context, req PayoutCardRequest) (Result, error)
}

// CardFramer makes addresses of the provider's own card form, which a shop's page embeds: the customer types a card into
// it, the provider keeps the card, and the page is told the card's id.
type CardFramer interface {
	// CardFrame returns an address for one customer. Whoever has it can leave a card in the account's name: it belongs into
	// no log and no row. An error of KindNotSent means that the provider could not be asked for what the address is made of.
	CardFrame(ctx context.Context, req CardFrameRequest) (CardFrame, error)
}

// CardFrameRequest says what a card form is for.
type CardFrameRequest struct {
	// Payout asks for a card that money is sent to, which has no expiry; else it is one that money is taken from.
	Payout bool
	// Redirect asks for the answer in the address of a page that the form goes on to, for apps; else it is a message to the
	// page around the form.
	Redirect bool
}

// CardFrame is a card form of the provider's.
type CardFrame struct {
	URL string
	// ExpiresAt is until when it can be opened, zero if the provider does not say.
	ExpiresAt time.Time
}

// Transferrer moves money from card to card.
type Transferrer interface {
	Transfer(ctx context.Context, req TransferRequest) (Result, error)
}

// TransferImporter finds a transfer that was started elsewhere, to follow it with Fetch.
type TransferImporter interface {
	// FindTransfer reads a transfer. The result names its Amount, Currency, ProviderReference and State. An error of
	// KindDeclined or KindNotFound means that the provider shows no such transfer to this account.
	FindTransfer(ctx context.Context, query TransferQuery) (Result, error)
}

// BalanceReader tells an account's balance.
type BalanceReader interface {
	Balance(ctx context.Context) (Balance, error)
}

// TransactionReportExporter makes the provider's own list of transactions.
type TransactionReportExporter interface {
	// StartTransactionReport asks for a list and returns the provider's task id.
	StartTransactionReport(ctx context.Context, req TransactionReportRequest) (string, error)
	// TransactionReportReady reports whether the task is done. A failed task is an error of KindDeclined.
	TransactionReportReady(ctx context.Context, task string) (bool, error)
	// DownloadTransactionReport writes the provider's xlsx to w.
	DownloadTransactionReport(ctx context.Context, task string, w io.Writer) error
}

// Varied is a gateway that does some things in one account and not in another, as the account's settings say.
type Varied interface {
	// Variants names these things. The reason is why the account does not do one, "" if it does.
	Variants() map[string]string
}

// The things that Variants may name.
const (
	VariantBankPayout     = "bank_payout"     // payouts to bank accounts
	VariantCardNumber     = "card_number"     // payments with a card number that the shop has
	VariantPartialCapture = "partial_capture" // captures of a part of a hold
)

// Capabilities names the optional things g can do, sorted, for showing to shops.
func Capabilities(g Gateway) []string {
	var caps []string
	if v, ok := g.(Varied); ok {
		for name, reason := range v.Variants() {
			if reason == "" {
				caps = append(caps, name)
			}
		}
	}
	add := func(name string, ok bool) {
		if ok {
			caps = append(caps, name)
		}
	}
	_, ok := g.(Capturer)
	add("capture", ok)
	_, ok = g.(Canceler)
	add("cancel", ok)
	_, ok = g.(Refunder)
	add("refund", ok)
	_, ok = g.(Charger)
	add("recurring", ok)
	_, ok = g.(CodeConfirmer)
	add("confirm_code", ok)
	_, ok = g.(Payer)
	add("payout", ok)
	_, ok = g.(PayoutCardOpener)
	add("payout_card", ok)
	_, ok = g.(CardFramer)
	add("card_frame", ok)
	_, ok = g.(Transferrer)
	add("transfer", ok)
	_, ok = g.(TransferImporter)
	add("transfer_import", ok)
	_, ok = g.(BalanceReader)
	add("balance", ok)
	_, ok = g.(TransactionReportExporter)
	add("statement", ok)
	slices.Sort(caps)
	return caps
}

// RawCallback is a callback exactly as it arrived.
type RawCallback struct {
	Method      string
	ContentType string
	Body        []byte
	// Query is what stood behind the question mark. It is never merged into the body's fields.
	Query url.Values
	// ReceivedAt is when the last byte arrived.
	ReceivedAt time.Time
}
