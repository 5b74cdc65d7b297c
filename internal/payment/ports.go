package payment

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/shop"
)

// Key names an order: shop first, as everywhere in the database.
type Key struct{ Shop, Order uuid.UUID }

// Key returns the order's name.
func (o *Order) Key() Key { return Key{o.ShopID, o.ID} }

// ErrNothingSent is in an error of CodeUnavailable that came before anything was sent to the database.
var ErrNothingSent = errors.New("nothing was sent to the database")

// ErrRecorded is returned by Store.UpdateOrder for a Call that is written down already.
var ErrRecorded = errors.New("the call is recorded already")

// ErrReferenceTaken is returned by Store.UpdateOrder if an order was to take over an attempt, or late money, and another one has done so.
var ErrReferenceTaken = errors.New("another order has the reference")

// Store keeps orders. What a method writes is committed together or not at all, notifications and their jobs included.
// Methods return ErrNotFound, an *Error of CodeUnavailable while the database cannot be reached, or an internal error.
type Store interface {
	// CreateOrder writes a new order with its history. If the shop has an order of that kind and reference already, it
	// changes nothing and returns that one and false. If its account begins nothing new any more, it is BeginsNothing.
	CreateOrder(ctx context.Context, o *Order) (*Order, bool, error)
	// CreateRefund is CreateOrder for a refund. Its payment is locked, so that refunds of one payment come one after the
	// other, and check gets the payment's other refunds. An error of check is returned and nothing is saved. The payment's
	// reserved sum moves by the refund's ParentDelta; a sum beyond what was captured is an *Error of CodeRefundTooLarge.
	CreateRefund(ctx context.Context, o *Order, check func(OtherRefunds) error) (*Order, bool, error)
	MandateStore
	// UpdateOrder loads the order under a row lock, runs fn, and saves what the order gathered. fn must not touch
	// anything else: it may run twice. An error of fn is returned and nothing is saved. A Call with the ID of one that is
	// there already is ErrRecorded, and nothing is saved.
	UpdateOrder(ctx context.Context, key Key, fn func(*Order) error) (*Order, error)
	// ApplyCallback keeps a callback, once for each dedupe key, and runs fn on the order that it names, under a row
	// lock, in the same transaction. fn returns the verdict to keep. A callback that was kept before changes nothing:
	// seen is true and neither function runs. An order that does not exist is verdict no_order. For a callback of kind
	// refund that names a payment, pick gets the payment's refunds and returns the one that the callback is about: fn gets
	// that refund, or the payment if pick returns nil. Payment and refund are locked, in that order. Both functions may run
	// twice.
	ApplyCallback(ctx context.Context, cb Callback, pick func([]RefundFacts) *RefundFacts, fn func(*Order) (Verdict, string)) (verdict Verdict, seen bool, err error)

	// ApprovalAccount is the account of a payout that an operator is asked to release, "" for one that nobody is asked about.
	ApprovalAccount(ctx context.Context, shop uuid.UUID, reference string, requestHash []byte) (string, error)
	// CheckLimits refuses a new order as CreateOrder would because of limits, and counts nothing.
	CheckLimits(ctx context.Context, o *Order) error

	// ProviderOrderID returns the id by which the provider is to know an order: always the same for a shop, a kind, the shop's
	// reference and the number of the attempt, whatever was lost in between.
	ProviderOrderID(ctx context.Context, shop uuid.UUID, kind gateway.Kind, reference string, attempt int) (string, error)
	Order(ctx context.Context, key Key) (*Order, error)
	// OrderByReference returns the shop's order of a kind and reference.
	OrderByReference(ctx context.Context, shop uuid.UUID, kind gateway.Kind, reference string) (*Order, error)
	Orders(ctx context.Context, f Filter) (Page[*Order], error)
	History(ctx context.Context, key Key) ([]Transition, error)
	// EndedAttempts returns an order's attempts but for the present one, in their order.
	EndedAttempts(ctx context.Context, key Key) ([]EndedAttempt, error)
	// Notified returns where an order's notifications stand, in the order of its history.
	Notified(ctx context.Context, key Key) ([]Notified, error)
	// Feed returns the shop's notifications in an order that never changes, after a cursor; nothing is ever inserted
	// before a place that was handed out.
	Feed(ctx context.Context, shop uuid.UUID, after string, limit int) (FeedPage, error)
	// FeedCursor returns the place in the feed from which everything that was written at a time or later follows.
	FeedCursor(ctx context.Context, shop uuid.UUID, since time.Time) (string, error)

	// Account returns an account with its secrets.
	Account(ctx context.Context, id uuid.UUID) (Account, error)
	// ShopAccounts returns the accounts a shop may use, with their secrets and priorities, in the order of routing: by priority,
	// those that must be named last.
	ShopAccounts(ctx context.Context, shop uuid.UUID) ([]Account, error)
	// AccountByCallbackToken returns the account whose callback address holds token.
	AccountByCallbackToken(ctx context.Context, token string) (Account, error)
}

// Account is a merchant account at a provider.
type Account struct {
	ID       uuid.UUID
	Name     string
	Provider string
	Currency money.Currency
	Purpose  Purpose
	Settings map[string]string
	// Withheld are capabilities that the account's contract leaves out, each with the reason.
	Withheld      map[string]string
	Secrets       map[string]gateway.Secret
	CallbackToken gateway.Secret
	// Priority is the account's place in a shop's routing, from 1, where it was loaded for a shop. 0 is for an account that a
	// request must name.
	Priority int
	// Staged are secrets that will replace some of Secrets, and Previous those that some of them replaced. Calls use neither;
	// callbacks may be signed with them. Nil for none.
	Staged, Previous map[string]gateway.Secret
	// Limits are the account's own that are enforced. An order is counted where it is created, so none goes on there after an attempt.
	Limits []Limit
	// Mode is how far the account is switched off.
	Mode shop.Mode
	// Demoted says that it is unhealthy, so routing puts it last.
	Demoted bool
	// Version counts the changes of the account, from 1 on.
	Version int64
	// MovedAt is when calls last went to another installation of the provider, or as another merchant; nil for never.
	MovedAt *time.Time
	// Unusable is why an account of a shop cannot be used, nil if it can. Nothing but its name is sure then.
	Unusable  error
	CreatedAt time.Time
}

// Purpose says what an account is for. Routing never picks an account that was set up for something else.
type Purpose string

// The purposes.
const (
	PurposeAny      Purpose = "any"
	PurposePayments Purpose = "payments"
	PurposePayouts  Purpose = "payouts"
)

// Callback is a verified callback on its way into the store.
type Callback struct {
	AccountID uuid.UUID
	// DedupeKey is the hash of provider, account and what was signed.
	DedupeKey []byte
	// ProviderOrderID is our id of the order, as the callback names it.
	ProviderOrderID string
	// Kind is the kind of order that the callback talks about, empty if it does not say.
	Kind gateway.Kind
	// Minor is the sum that the callback names, in minor units, 0 if it names none.
	Minor    int64
	Reported string
	// BankReferences are the names of movements of money, such as RRNs, that the callback gives.
	BankReferences []string
	ProviderData   gateway.ProviderData
	ReceivedAt     time.Time
}

// Filter selects a shop's orders. Zero members select everything.
type Filter struct {
	Shop                   uuid.UUID
	Kind                   gateway.Kind
	Status                 Status
	Reference, Account     string
	ProviderOrderID        string
	ProviderReference      string // the provider's own id of it
	ParentID               *uuid.UUID
	CreatedFrom, CreatedTo time.Time
	Limit                  int
	Cursor                 string
}

// Page is a part of a list. Next is empty at its end. A cursor that cannot be read is an *Error of CodeInvalid.
type Page[T any] struct {
	Items []T
	Next  string
}

// FeedPage is a page of a shop's feed.
type FeedPage struct {
	Page[FeedItem]
	// Cursor is where the page ends: the next reading goes on there.
	Cursor string
	// Rewound: the cursor named a place that the database has lost, and the page begins before it.
	Rewound bool
}

// FeedItem is one notification as it was or will be sent. Payload is nil if it was removed because it is old: then Order, as it
// stands now, and Transition are there instead.
type FeedItem struct {
	ID         uuid.UUID
	Payload    []byte
	Order      *Order
	Transition Transition
	Cursor     string
}
