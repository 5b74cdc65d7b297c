package payment

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// A team that moves to payrelay brings the agreements that its customers made before, at the same merchant. Each is made of a payment
// that the provider has and payrelay did not make: its parent. The parent becomes an order, with the sum that the provider names, and
// the order makes a mandate. The provider is asked before anything is written down.

// MandateImport are agreements that a shop's customers made elsewhere, at the merchant of an account.
type MandateImport struct {
	Shop       uuid.UUID
	Account    string
	Agreements []Agreement
}

// Agreement is one of them.
type Agreement struct {
	Reference string
	// Parent is the id by which the provider knows the first payment, and Amount what was paid with it.
	Parent      string
	Amount      money.Money
	Description string
	Metadata    map[string]string
	Terms       MandateTerms
}

// Imported is what becomes of an agreement.
type Imported struct {
	// Order is the first payment: as it was before, if Repeat says so; as it was Written; or as it would be.
	Order           *Order
	Repeat, Written bool
	// Wrong says why it cannot be imported, by the columns of the operator's file; nil if it can.
	Wrong []gateway.FieldError
	// CurrencyNamed says that the provider named the currency. Else it is the operator's word alone.
	CurrencyNamed bool

	shown gateway.Result
}

// Parent names a payment at its provider.
type Parent struct {
	// Merchant is the provider, and what its accounts of one merchant share. Payments of one merchant never share an ID.
	Merchant string
	Account  uuid.UUID
	ID       string
}

// ImportStore keeps what was imported.
type ImportStore interface {
	// AccountOfParent returns the account that a parent was imported at, uuid.Nil for one that was not.
	AccountOfParent(ctx context.Context, p Parent) (uuid.UUID, error)
	// ParentKnown says which order a parent is here, "" for none.
	ParentKnown(ctx context.Context, p Parent) (string, error)
	// ImportMandate writes down the order that begin returns, what complete makes of it, and its mandate. begin may run twice. A parent
	// that has an order already is an *Error, and so is a reference that was taken meanwhile.
	ImportMandate(ctx context.Context, p Parent, begin func() (o *Order, complete func())) error
}

// importsAtOnce is how many parents are asked about at once.
const importsAtOnce = 4

// Imported reports whether the order is of something that was started elsewhere, and that the provider was asked about: a transfer, or
// the parent of a mandate. No shop chose a flow for it.
func (o *Order) Imported() bool {
	return o.Flow == "" && (o.Kind == gateway.KindTransfer || o.Kind == gateway.KindPayment && o.Recurring)
}

// ImportMandates brings agreements here, or with dryRun only says what would become of each. If one of them is wrong, none is imported.
// To import them again is a repeat. An error says that nothing, or not all, was written down.
func (s *Service) ImportMandates(ctx context.Context, in MandateImport, dryRun bool) ([]Imported, error) {
	to, err := s.destination(ctx, in.Shop, in.Account, "", PurposePayments)
	if err != nil {
		return nil, err
	}
	if err := to.account.allows(canRecurring); err != nil {
		return nil, err
	}
	if _, onDemand := to.gateway.(gateway.Charger); !onDemand {
		return nil, &Error{Code: CodeUnsupported, Message: "The provider of this account charges by its own schedule, and takes no single charge. Its agreements go on there as they are, and cannot be imported."}
	}
	all := make([]Imported, len(in.Agreements))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(importsAtOnce)
	for i := range in.Agreements {
		group.Go(func() (err error) {
			all[i], err = s.judgeAgreement(asking, in.Shop, to, &in.Agreements[i])
			return err
		})
	}
	if err := group.Wait(); err != nil || dryRun {
		return all, err
	}
	for i := range all {
		if all[i].Wrong != nil {
			return all, nil
		}
	}
	for i := range all {
		if err := s.importAgreement(ctx, in.Shop, to, &in.Agreements[i], &all[i]); err != nil {
			return nil, fmt.Errorf("import %s: %w. The lines before it are imported: give the file again, which imports none of them twice", in.Agreements[i].Reference, err)
		}
	}
	return all, nil
}

// importAgreement writes down an agreement that was judged, unless it was before.
func (s *Service) importAgreement(ctx context.Context, shop uuid.UUID, to target, a *Agreement, judged *Imported) error {
	if judged.Repeat {
		return nil
	}
	err := s.Imports.ImportMandate(ctx, s.parentOf(to, a), func() (*Order, func()) {
		o := s.parentOrder(shop, to, a)
		judged.Order = o
		return o, func() { o.Record(ObservationOf(judged.shown, SourceStatusPoll, 0, o.CreatedAt)) }
	})
	judged.Written = err == nil
	return err
}

// parentOf names the parent of an agreement.
func (s *Service) parentOf(to target, a *Agreement) Parent {
	return Parent{Merchant: to.merchant(), Account: to.account.ID, ID: a.Parent}
}

// merchant is whose account it is at its provider.
func (to target) merchant() string {
	names := []string{to.account.Provider}
	for _, of := range to.description.Settings {
		if of.Merchant {
			names = append(names, cmp.Or(to.account.Settings[of.Name], of.Default))
		}
	}
	for _, of := range to.description.Secrets {
		if of.Merchant {
			names = append(names, to.account.Secrets[of.Name].Reveal())
		}
	}
	name, _ := json.Marshal(names) // texts
	return string(name)
}

// parentOrder is the order of a parent in its first state, with the provider's id of it. It is not stored yet.
func (s *Service) parentOrder(shop uuid.UUID, to target, a *Agreement) *Order {
	now, terms := s.Now(), a.Terms
	o := Order{
		ID: s.NewID(), ShopID: shop, Kind: gateway.KindPayment, Reference: a.Reference, RequestHash: a.hash(), Operation: gateway.OpSale, Amount: a.Amount,
		Recurring: true, Terms: &terms, ProviderOrderID: a.Parent, Description: a.Description, Metadata: a.Metadata, CreatedAt: now, UpdatedAt: now,
	}.at(to.account)
	o.PollsSince = now
	o.step(StatusCreated, SourceOperator, nil, now)
	o.snapshot()
	return &o
}

// hash tells an agreement from another one: by its parent, sum and terms, and not by its texts.
func (a *Agreement) hash() []byte {
	text, _ := json.Marshal([]any{"mandate import", a.Parent, a.Amount.Minor(), a.Amount.Currency(), a.Terms}) // texts, numbers and times
	sum := sha256.Sum256(text)
	return sum[:]
}

// judgeAgreement says what becomes of an agreement: by what is here, and by what the provider says of its parent.
func (s *Service) judgeAgreement(ctx context.Context, shop uuid.UUID, to target, a *Agreement) (Imported, error) {
	earlier, err := s.Store.OrderByReference(ctx, shop, gateway.KindPayment, a.Reference)
	switch {
	case CodeOf(err) == CodeNotFound:
	case err != nil:
		return Imported{}, err
	case equalHash(earlier.RequestHash, a.hash()):
		return Imported{Order: earlier, Repeat: true}, nil
	default:
		return Imported{Wrong: []gateway.FieldError{{Field: "reference", Message: takenReference(earlier, a)}}}, nil
	}
	if wrong := a.faults(to.account, s.Now()); wrong != nil {
		return Imported{Wrong: wrong}, nil
	}
	known, err := s.Imports.ParentKnown(ctx, s.parentOf(to, a))
	if err != nil {
		return Imported{}, err
	}
	if known != "" {
		return Imported{Wrong: []gateway.FieldError{{Field: "provider_order_id", Message: "the payment is here already, as " + known}}}, nil
	}
	o := s.parentOrder(shop, to, a)
	shown, _, err := callProvider(ctx, s, o.subject(), s.CheckTimeout, func(ctx context.Context) (gateway.Result, error) {
		return to.gateway.Fetch(ctx, o.Ref())
	})
	out := Imported{Order: o, shown: shown, CurrencyNamed: err == nil && shown.Currency != ""}
	if err != nil {
		out.Wrong = []gateway.FieldError{notShown(err)}
	} else if wrong := o.parentFault(shown, s.Now()); wrong != nil {
		out.Wrong = []gateway.FieldError{*wrong}
	}
	return out, nil
}

// importNames are the columns of the operator's file for what the contract names otherwise.
var importNames = map[string]string{"mandate.schedule.amount": "schedule_amount", "mandate.schedule.retry_days": "schedule_retry_days", "mandate.min_days": "min_days"}

// faults is what is wrong with an agreement, before its provider is asked.
func (a *Agreement) faults(account Account, now time.Time) (wrong []gateway.FieldError) {
	add := func(column, message string) {
		wrong = append(wrong, gateway.FieldError{Field: column, Message: message})
	}
	t := a.Terms
	if a.Amount.Currency() != account.Currency {
		add("currency", fmt.Sprintf("the account holds %s", account.Currency))
	}
	if t.ExpiresAt != nil && !t.ExpiresAt.After(now) {
		add("expires_at", "is past: leave the line out")
	}
	if t.CountsFrom != nil && t.CountsFrom.After(now) {
		add("last_charged_at", "is still to come")
	}
	if t.Schedule == nil {
		return wrong
	}
	for _, f := range t.scheduleComplaints() {
		add(importNames[f.Field], f.Message)
	}
	if a.Description == "" {
		add("description", "is required with a schedule: its charges have it, too")
	}
	if first := t.FirstRun(now); !first.After(now) {
		add("last_charged_at", fmt.Sprintf("by the schedule a charge was due at %s, and would be made at once: charge it where you did before, and give its time here", first.Format(time.RFC3339)))
	}
	return wrong
}

// takenReference says whose a reference is that an agreement cannot have.
func takenReference(earlier *Order, a *Agreement) string {
	switch {
	case !earlier.Imported():
		return "the shop has a payment of this reference: give another one"
	case earlier.ProviderOrderID != a.Parent:
		return fmt.Sprintf("it is that of the parent %s, imported before: give another one", earlier.ProviderOrderID)
	}
	return "it was imported before with another sum or other terms, and the terms of a mandate never change: revoke it, or leave the line as it was"
}

// notShown says why a provider does not confirm a parent.
func notShown(err error) gateway.FieldError {
	wrong := gateway.FieldError{Field: "provider_order_id", Message: "the provider gave no answer that can be believed: run the command again later"}
	e, ok := errors.AsType[*gateway.Error](err)
	switch {
	case gateway.KindOf(err) == gateway.KindNotFound:
		wrong.Message = "the provider knows no such payment of this account's merchant: check the id, and the account"
	case gateway.KindOf(err) == gateway.KindCredentials:
		wrong = gateway.FieldError{Field: "account", Message: "the provider refused its secrets: mend them first"}
	case ok && e.Code == "other_order":
		wrong.Message = "the provider answered with another order: check the id"
	}
	return wrong
}

// parentFault records what the provider shows of a parent, and says why it cannot be one, nil if it can. Of what the provider names
// everything must be as the agreement says, and it must name a sum.
func (o *Order) parentFault(shown gateway.Result, now time.Time) *gateway.FieldError {
	switch {
	case shown.Kind != "" && shown.Kind != gateway.KindPayment:
		return fault("provider_order_id", "the provider shows it as a %s: name a payment", shown.Kind)
	case Status(shown.Status) != StatusSucceeded:
		return fault("provider_order_id", "the provider shows it as %s: only a payment that was paid can be imported", cmp.Or(string(shown.Status), "in a state that is not listed"))
	case shown.Currency != "" && shown.Currency != o.Amount.Currency():
		return fault("currency", "the provider says %s: the account must be one of that currency", shown.Currency)
	}
	if wrong := o.sumFault(shown); wrong != nil {
		return wrong
	}
	if verdict := o.Record(ObservationOf(shown, SourceStatusPoll, 0, now)); verdict != Apply || o.Sequence != 2 || o.Conflicts > 0 { // it must do nothing but succeed
		return fault("provider_order_id", "what the provider shows of it would be a conflict or dispute: settle it with the provider first")
	}
	return nil
}

// sumFault says why the sums that a provider shows of a parent are not those of a payment that was paid, nil if they are.
func (o *Order) sumFault(shown gateway.Result) *gateway.FieldError {
	paid := shown.Settled
	if paid == nil {
		paid = shown.Amount
	}
	switch asked := o.Amount.Minor(); {
	case paid == nil:
		return fault("amount", "the provider names no sum of the payment, and none is believed that nobody named")
	case *paid != asked:
		return fault("amount", "the provider says that %d was paid", *paid)
	case shown.Amount != nil && *shown.Amount != asked:
		return fault("amount", "the provider says that %d was asked for", *shown.Amount)
	case shown.Refunded != nil && *shown.Refunded != 0:
		return fault("provider_order_id", "the provider shows that %d of it went back", *shown.Refunded)
	}
	return nil
}

// fault is what is wrong with a column of an agreement.
func fault(column, format string, args ...any) *gateway.FieldError {
	return &gateway.FieldError{Field: column, Message: fmt.Sprintf(format, args...)}
}
