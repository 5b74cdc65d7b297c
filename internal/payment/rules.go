package payment

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/bintable"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/routing"
	"payrelay/internal/shop"
)

// RoutingRules are the rules that route a shop's payments and payouts.
type RoutingRules struct {
	ID   string // of the set
	Shop string // the shop's name
	Set  *routing.Set
	BINs *bintable.Table // where the set asks for it
}

// RoutedOtherwise stands in Event.Routed where no rule decided.
const RoutedOtherwise = "otherwise"

// routed lists the accounts that a new order may go to, in their order, and the decision of the rules if they decided. Without an
// error there is at least one account.
func (s *Service) routed(ctx context.Context, in intake) ([]Account, *routing.Decision, error) {
	if in.account == "" && in.facts != nil {
		rules, err := s.RoutingRules(ctx, in.order.ShopID)
		if err != nil {
			return nil, nil, err
		}
		if rules != nil {
			return s.byRules(ctx, in, rules)
		}
	}
	candidates, err := s.candidates(ctx, in.order.ShopID, in.account, in.currency, in.purpose)
	return s.healthyFirst(s.chargedAlike(in, candidates), in.order.ShopID, in.order.Reference), nil, err
}

// chargedAlike leaves out the accounts where a mandate would be charged otherwise than at the first: at one by the shop, at the other
// by the provider's own schedule. No failover, limit or demotion may change what the customer agreed to.
func (s *Service) chargedAlike(in intake, candidates []Account) []Account {
	if !in.order.Recurring || len(candidates) < 2 {
		return candidates
	}
	first, err := s.open(candidates[0])
	return slices.DeleteFunc(slices.Clone(candidates), func(a Account) bool {
		other, otherErr := s.open(a)
		return err == nil && otherErr == nil && other.description.OwnSchedule != first.description.OwnSchedule
	})
}

// byRules lists the accounts that routing rules choose.
func (s *Service) byRules(ctx context.Context, in intake, rules *RoutingRules) ([]Account, *routing.Decision, error) {
	accounts, err := s.accountsOf(ctx, in.order.ShopID)
	switch {
	case err != nil:
		return nil, nil, err
	case len(accounts) == 0:
		return nil, nil, noAccounts()
	}
	if err := begins(ctx, Account{}); err != nil { // the caller begins nothing
		return nil, nil, err
	}
	d := rules.Set.Decide(rules.Set.Located(in.facts(rules.Shop), rules.BINs), Considered(accounts, in.currency, in.purpose))
	d.Set = rules.ID
	names := d.Accounts()
	if len(names) == 0 {
		return nil, nil, noRoute(d, accounts)
	}
	candidates := make([]Account, len(names))
	for i, name := range names {
		candidates[i] = accounts[slices.IndexFunc(accounts, func(a Account) bool { return a.Name == name })]
		candidates[i].Demoted = candidates[i].Demoted && !d.Tries(name)
	}
	return s.chargedAlike(in, candidates), &d, nil
}

// Considered are a shop's accounts as a decision sees them.
func Considered(accounts []Account, currency money.Currency, purpose Purpose) []routing.Account {
	list := make([]routing.Account, len(accounts))
	for i, a := range accounts {
		list[i] = routing.Account{Name: a.Name, Priority: a.Priority, Reason: reasonNotToTake(a, currency, purpose)}
	}
	return list
}

// reasonNotToTake says in a word why an account takes no new order of a currency and purpose, "" if it does.
func reasonNotToTake(a Account, currency money.Currency, purpose Purpose) routing.Reason {
	switch {
	case CodeOf(a.Unusable) == CodeAccountFrozen:
		return routing.Frozen
	case a.Unusable != nil:
		return routing.Unusable
	case a.Currency != currency || !a.Currency.Circulates():
		return routing.Currency
	case !a.serves(purpose):
		return routing.Purpose
	case a.Mode == shop.ModeDrain:
		return routing.Draining
	case a.Mode == shop.ModeOff, a.Mode == shop.ModeClosed:
		return routing.Disabled
	case a.Demoted:
		return routing.Unhealthy
	}
	return ""
}

// noRoute answers an order that the rules leave without an account. It names accounts that the shop may use, and no others.
func noRoute(d routing.Decision, accounts []Account) error {
	e := &Error{Code: CodeNoRoute, Message: "No routing rule leads this order to an account that takes it. Nothing was stored or sent. Name an account, or ask the operators."}
	for _, c := range d.Candidates {
		if slices.ContainsFunc(accounts, func(a Account) bool { return a.Name == c.Account }) {
			e.Fields = append(e.Fields, gateway.FieldError{Field: "account", Message: fmt.Sprintf("is not %s: %s", c.Account, reasonWords[c.Reason])})
		}
	}
	return e
}

// reasonWords say more than a reason's word.
var reasonWords = map[routing.Reason]string{
	routing.Frozen: "it was changed past payrelay", routing.Currency: "it holds another currency", routing.Purpose: "it is for other orders",
	routing.Unusable: "it cannot be used until the operators have mended it", routing.Draining: "it begins nothing new at the moment", routing.Disabled: "it is switched off",
}

// decisionOf is a decision as it is stored with its order, nil for none.
func decisionOf(d *routing.Decision, passedOver map[string]routing.Reason) ([]byte, error) {
	if d == nil {
		return nil, nil
	}
	for account, reason := range passedOver {
		d.PassOver(account, reason)
	}
	return json.Marshal(d)
}

// paymentFacts are what rules may ask about a payment.
func (s *Service) paymentFacts(in NewPayment, shop string) routing.Facts {
	f := routing.Facts{
		Shop: shop, Kind: string(gateway.KindPayment), Currency: string(in.Amount.Currency()), Amount: in.Amount.Minor(), Flow: string(in.Flow),
		Capture: "automatic", Recurring: in.Recurring.Enabled, CustomerCountry: in.Customer.Address.Country, Metadata: in.Metadata,
		CustomerKey: s.stickyKey(in.Shop, "customer", orElse(in.Metadata["customer_id"], strings.ToLower(in.Customer.Email))),
		OrderKey:    s.stickyKey(in.Shop, "order", in.Reference),
	}
	if in.Manual {
		f.Capture = "manual"
	}
	switch m := in.Method; {
	case m.Card != nil:
		f.Method, f.CardBIN, f.CardBrand = "card", m.Card.Number.Leading(), m.Card.Number.Brand()
	case m.ApplePay != nil:
		f.Method, f.CardBrand = "apple_pay", strings.ToUpper(m.ApplePay.Network)
	case m.GooglePay != nil:
		f.Method, f.CardBrand = "google_pay", strings.ToUpper(m.GooglePay.Network)
	case m.StoredCard != nil:
		f.Method = "stored_card"
	case m.Mobile != nil:
		f.Method = "mobile"
	}
	return f
}

// payoutFacts are what rules may ask about a payout.
func (s *Service) payoutFacts(in NewPayout, shop string) routing.Facts {
	f := routing.Facts{
		Shop: shop, Kind: string(gateway.KindPayout), Currency: string(in.Currency), Amount: in.Minor, Flow: string(gateway.FlowDirect), Capture: "automatic",
		CustomerCountry: in.Customer.Address.Country, Metadata: in.Metadata,
		CustomerKey: s.stickyKey(in.Shop, "customer", orElse(in.Metadata["customer_id"], strings.ToLower(in.Customer.Email))),
		OrderKey:    s.stickyKey(in.Shop, "order", in.Reference),
	}
	switch m := in.Method; {
	case m.Card != nil:
		f.Method, f.CardBIN, f.CardBrand = "card", m.Card.Number.Leading(), m.Card.Number.Brand()
	case m.BankAccount != nil:
		f.Method = "bank_account"
	case m.Phone != "":
		f.Method = "phone"
	default:
		f.Method = "payout_card"
	}
	return f
}

// stickyKey is a keyed hash of what a split keeps together, "" for nothing.
func (s *Service) stickyKey(shop uuid.UUID, what, value string) string {
	if value == "" || len(s.FingerprintKey) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, s.FingerprintKey)
	fmt.Fprintf(mac, "routing:%s:%s:%s", what, shop, value)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
