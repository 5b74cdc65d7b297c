package payment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/plural"
)

// LimitScope says whose orders a limit is of.
type LimitScope string

// The scopes.
const (
	LimitGlobal  LimitScope = "global"
	LimitShop    LimitScope = "shop"
	LimitAccount LimitScope = "account"
	LimitKey     LimitScope = "key"
)

// LimitRule says what a limit bounds.
type LimitRule string

// The rules. Those of a window bound the sum and the number of the orders that were begun in it.
const (
	LimitOrder   LimitRule = "order"   // the sum of one order
	LimitMinimum LimitRule = "minimum" // the smallest sum of one order
	LimitHour    LimitRule = "hour"
	LimitDay     LimitRule = "day"
	// LimitDuplicate asks before a payout or refund that looks like one that was made not long ago.
	LimitDuplicate LimitRule = "duplicate"
	// LimitApproval has a payout above its sum wait for an operator.
	LimitApproval LimitRule = "approval"
	// Of payments that issuers declined: in an hour, of one card in a day, and in an hour before direct card payments are paused.
	LimitDeclines     LimitRule = "declines"
	LimitCardDeclines LimitRule = "card_declines"
	LimitPause        LimitRule = "pause"
)

// Windows are the rules that count, and how long their windows are.
var limitWindows = map[LimitRule]time.Duration{LimitHour: time.Hour, LimitDay: 24 * time.Hour}

// Limit is what an operator lets be begun. Of several limits each counts, so the tightest wins.
type Limit struct {
	ID    uuid.UUID
	Scope LimitScope
	// ObjectID is the id of the shop, account or key, empty for LimitGlobal.
	ObjectID string
	Kind     gateway.Kind
	Currency money.Currency // "" is any, for a limit without a sum
	Rule     LimitRule
	Amount   int64 // in minor units, 0 for none
	Orders   int64 // how many, 0 for any number
	// Enforced says that what goes beyond is refused. If not, it is only told.
	Enforced bool
}

// Counts reports whether orders are counted with the limit: those of one order are judged by it alone.
func (l Limit) Counts() bool { return l.Rule != LimitOrder && l.Rule != LimitMinimum }

// Concerns reports whether an order that a key asks for is counted with the limit.
func (l Limit) Concerns(o *Order, keyID string) bool {
	if l.Kind != o.Kind || l.Currency != "" && l.Currency != o.Amount.Currency() {
		return false
	}
	switch l.Scope {
	case LimitShop:
		return l.ObjectID == o.ShopID.String()
	case LimitAccount:
		return l.ObjectID == o.AccountID.String()
	case LimitKey:
		return l.ObjectID == keyID
	case LimitGlobal:
		return true
	}
	return false
}

// Begins reports whether an order asks for money to be moved. One that the provider had before payrelay does not, and is in no limit.
func (o *Order) Begins() bool { return o.Amount.Minor() > 0 && o.ProviderReference == "" }

// EndsWithoutMoney reports whether the order ended since it was loaded, and nothing was taken or paid.
func (o *Order) EndsWithoutMoney() bool {
	return o.endedWithoutMoney() && slices.ContainsFunc(o.transitions, func(t Transition) bool { return t.To.Final() })
}

// LimitHit is an order that goes beyond a limit.
type LimitHit struct {
	Limit
	Shop uuid.UUID
	// At is when the order was asked for.
	At time.Time
	// UsedAmount and UsedOrders are used of it without the order.
	UsedAmount, UsedOrders int64
	// DuplicateOf is the order that asked for the same, with LimitDuplicate.
	DuplicateOf uuid.UUID
	// FreeAt is when the same order has room, as things are now; nil if it never has.
	FreeAt *time.Time
}

// Shared reports whether others' orders are counted with the limit, of whom the shop must not learn.
func (h LimitHit) Shared() bool { return h.Scope == LimitGlobal || h.Scope == LimitAccount }

// limitedBy reports whether a limit of the account refused an order. Another account may take it.
func limitedBy(err error, account Account) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == CodeLimitExceeded && e.Limit.Scope == LimitAccount && e.Limit.ObjectID == account.ID.String()
}

// limitWords name what a limit is of, for people.
var limitWords = map[LimitScope]string{
	LimitGlobal: "of all shops together", LimitShop: "of your shop", LimitAccount: "of this account", LimitKey: "of your key",
}

// ofDeclines reports whether the limit counts what issuers declined.
func (l Limit) ofDeclines() bool {
	return l.Rule == LimitDeclines || l.Rule == LimitCardDeclines || l.Rule == LimitPause
}

// LimitExceeded refuses an order that goes beyond an enforced limit. Of several, it names the one that has room last.
func LimitExceeded(hits []LimitHit) error {
	hit := slices.MaxFunc(hits, func(a, b LimitHit) int {
		switch {
		case a.FreeAt == nil && b.FreeAt == nil:
			return 0
		case a.FreeAt == nil:
			return 1
		case b.FreeAt == nil:
			return -1
		}
		return a.FreeAt.Compare(*b.FreeAt)
	})
	if i := slices.IndexFunc(hits, func(h LimitHit) bool { return h.Rule == LimitPause }); i >= 0 {
		return CardPaymentsPaused()
	}
	if hit.ofDeclines() {
		return tooManyDeclines(hit)
	}
	return &Error{Code: CodeLimitExceeded, Message: hit.text(), Limit: &hit}
}

func (h LimitHit) text() string {
	text := fmt.Sprintf("The %s goes beyond the limit %s: %s.", h.Kind, limitWords[h.Scope], h.bound())
	if h.Counts() && !h.Shared() {
		text += fmt.Sprintf(" Used: %d in %s.", h.UsedAmount, plural.Of(h.UsedOrders, "order", "orders"))
	}
	text += " Nothing was stored or sent."
	if h.FreeAt != nil {
		return text + " There is room for it at " + h.FreeAt.UTC().Format(time.RFC3339) + "."
	}
	if h.Rule == LimitMinimum {
		return text + " Send a larger sum, or ask the operators."
	}
	return text + " Send a smaller sum, or ask the operators."
}

// bound says what a limit allows.
func (h LimitHit) bound() string {
	per := "in one order"
	if window := limitWindows[h.Rule]; window > 0 {
		per = fmt.Sprintf("in %.0f h", window.Hours())
	}
	orders := plural.Of(h.Orders, "order", "orders")
	switch {
	case h.Rule == LimitMinimum:
		return fmt.Sprintf("at least %d %s (minor units) in one order", h.Amount, h.Currency)
	case h.Orders == 0:
		return fmt.Sprintf("at most %d %s (minor units) %s", h.Amount, h.Currency, per)
	case h.Amount == 0:
		return fmt.Sprintf("at most %s %s", orders, per)
	}
	return fmt.Sprintf("at most %d %s (minor units) and %s %s", h.Amount, h.Currency, orders, per)
}

type keyIDKey struct{}

// WithKeyID returns a context for what the key with this id asks.
func WithKeyID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, keyIDKey{}, id)
}

// KeyIDOf returns the id of WithKeyID, "" where no key asks.
func KeyIDOf(ctx context.Context) string {
	id, _ := ctx.Value(keyIDKey{}).(string)
	return id
}
