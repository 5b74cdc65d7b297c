package payment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// DisputeStore reads disputes. They are written with the step of their order, by Store.UpdateOrder and Store.ApplyCallback.
type DisputeStore interface {
	// Dispute returns a shop's dispute.
	Dispute(ctx context.Context, shop, id uuid.UUID) (Dispute, error)
	// Disputes lists disputes, the newest first.
	Disputes(ctx context.Context, f DisputeFilter) (Page[Dispute], error)
}

// DisputeFilter selects disputes. Zero members select everything.
type DisputeFilter struct {
	Shop   uuid.UUID
	Order  *uuid.UUID
	Kind   DisputeKind
	Status DisputeStatus
	Open   bool // only those that have not ended
	Limit  int
	Cursor string
}

// ErrNoDispute is returned for a dispute that does not exist or belongs to another shop.
var ErrNoDispute = &Error{Code: CodeNotFound, Message: "There is no such dispute. Check the id, and that the key belongs to the shop whose payment it is."}

// ErrCaseTaken is returned for a case that another dispute of the payment has.
var ErrCaseTaken = &Error{Code: CodeInvalidState, Message: "Another dispute of the payment has this case."}

// caseTaken says which dispute of an order has a case.
func (s *Service) caseTaken(ctx context.Context, order Key, number string) error {
	page, err := s.Disputes(ctx, DisputeFilter{Shop: order.Shop, Order: &order.Order, Limit: 200})
	if err != nil {
		return err
	}
	for _, d := range page.Items {
		if d.ProviderCase == number && d.Status != DisputeClosed {
			return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("Dispute %s of this payment has the case %s already: a %s that is %s. Nothing was changed. Change that one, or, if the bank took money once more, give the case a number of its own, such as %s-2.", d.ID, number, d.Kind, d.Status, number)}
		}
	}
	return ErrCaseTaken
}

// Dispute returns one dispute of a shop.
func (s *Service) Dispute(ctx context.Context, shop, id uuid.UUID) (Dispute, error) {
	return s.DisputeStore.Dispute(ctx, shop, id)
}

// Disputes lists a shop's disputes, the newest first.
func (s *Service) Disputes(ctx context.Context, f DisputeFilter) (Page[Dispute], error) {
	return s.DisputeStore.Disputes(ctx, f)
}

// NewDispute is a dispute that an operator knows of.
type NewDispute struct {
	Payment                  Key
	Kind                     DisputeKind
	Minor                    int64 // 0 is all that was captured
	ReasonCode, ProviderCase string
	DueAt                    *time.Time
	Reason, Operator         string
	// Another says that it is other money than an open dispute of the same sum.
	Another bool
}

// OpenDispute writes a dispute down that an operator heard of. Errors: CodeInvalid, CodeInvalidState.
func (s *Service) OpenDispute(ctx context.Context, in NewDispute) (opened Dispute, err error) {
	if !slices.Contains(DisputeKinds, in.Kind) || in.Kind.brings() || in.Minor < 0 {
		return Dispute{}, &Error{Code: CodeInvalid, Message: "A dispute has an amount above zero and a kind of the list; a late_success or unauthorized_charge is opened by payrelay alone, with the order that carries its money."}
	}
	if err := s.notPast(in.DueAt); err != nil {
		return Dispute{}, err
	}
	known, err := s.Disputes(ctx, DisputeFilter{Shop: in.Payment.Shop, Order: &in.Payment.Order, Open: true, Limit: 200})
	if err != nil {
		return Dispute{}, err
	}
	_, err = s.Store.UpdateOrder(ctx, in.Payment, func(o *Order) error {
		if o.Kind != gateway.KindPayment || o.Status != StatusSucceeded {
			return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("Only a succeeded payment can be disputed; this is a %s that is %s.", o.Kind, o.Status)}
		}
		minor, most := in.Minor, o.Amount.Minor()
		if in.Kind.takes() {
			most = o.Captured
		}
		switch {
		case minor == 0:
			minor = o.Captured
		case minor > most:
			return &Error{Code: CodeInvalid, Message: fmt.Sprintf("The amount %d is more than the %d that this payment is about: look for a digit too many. What a bank took beyond that, such as a fee, is told in the reason. Nothing was changed.", minor, most)}
		}
		if err := in.same(known.Items, minor); err != nil {
			return err
		}
		opened = o.openDispute(Dispute{
			Kind: in.Kind, Amount: money.New(minor, o.Amount.Currency()), ReasonCode: in.ReasonCode, ProviderCase: in.ProviderCase, DueAt: in.DueAt,
		}, byOperator(in.Operator, s.Now()), in.Reason)
		return nil
	})
	if errors.Is(err, ErrCaseTaken) {
		err = s.caseTaken(ctx, in.Payment, in.ProviderCase)
	}
	return opened, err
}

// same refuses a dispute that may be about the money of an open one: what a bank writes, the provider may have told already.
func (in NewDispute) same(open []Dispute, minor int64) error { //nolint:gocritic // as the other methods
	if in.Another || !in.Kind.takes() {
		return nil
	}
	for _, d := range open {
		if d.Kind.takes() && d.Amount.Minor() == minor {
			return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("Dispute %s of this payment is open about the same sum: %s, %s. Nothing was changed. If it is the same money: server dispute set %s --kind %s --reason TEXT, with --case and --due as you know them. If the sum was taken once more, open it with --another.", d.ID, d.Kind, d.Status, d.ID, in.Kind)}
		}
	}
	return nil
}

// notPast refuses a date that is past: nobody can answer until then, and it would hide the dates of all others from the metric.
func (s *Service) notPast(due *time.Time) error {
	if due == nil || due.After(s.Now()) {
		return nil
	}
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf("The date %s is past. Check the year, or leave the date out. Nothing was changed.", due.UTC().Format(time.RFC3339))}
}

func byOperator(name string, at time.Time) Observation {
	return Observation{Source: SourceOperator, Status: StatusSucceeded, ProviderData: gateway.ProviderData{"operator": name}, At: at}
}

// DisputeChange is what changes about a dispute. Nil members stay.
type DisputeChange struct {
	Status                   *DisputeStatus
	Kind                     *DisputeKind
	ReasonCode, ProviderCase *string
	DueAt                    *time.Time
	RefundsAllowed           *bool
	Reason, Operator         string
	// Note and Evidence are kept in the history of the payment, with this step.
	Note     string
	Evidence *Evidence
}

// Evidence is a file that is handed in at the provider. The file itself is not kept.
type Evidence struct {
	Name, SHA256 string
	Bytes        int64
}

// The fields of a step's provider data that hold a note and what is kept of a file.
const (
	FieldNote           = "note"
	FieldEvidence       = "evidence"
	FieldEvidenceSHA256 = "evidence_sha256"
	FieldEvidenceBytes  = "evidence_bytes"
)

// evidence is an observation with the note and the evidence.
func (c DisputeChange) evidence(r Observation) Observation {
	if c.Note != "" {
		r.ProviderData = withField(r.ProviderData, FieldNote, c.Note)
	}
	if e := c.Evidence; e != nil {
		r.ProviderData = withField(r.ProviderData, FieldEvidence, e.Name)
		r.ProviderData[FieldEvidenceSHA256], r.ProviderData[FieldEvidenceBytes] = e.SHA256, strconv.FormatInt(e.Bytes, 10)
	}
	return r
}

// apply changes a dispute, but for its status.
func (c DisputeChange) apply(d Dispute) (Dispute, error) {
	if c.Kind != nil && *c.Kind != d.Kind {
		if !c.Kind.takes() || !d.Kind.takes() {
			return d, &Error{Code: CodeInvalid, Message: fmt.Sprintf("The kind cannot become %s from %s: the two do different things to the payment's sums. Resolve this dispute, and open another.", *c.Kind, d.Kind)}
		}
		d.Kind = *c.Kind
	}
	if c.ReasonCode != nil {
		d.ReasonCode = *c.ReasonCode
	}
	if c.ProviderCase != nil {
		d.ProviderCase = *c.ProviderCase
	}
	if c.DueAt != nil {
		d.DueAt = c.DueAt
	}
	if c.RefundsAllowed != nil {
		d.RefundsAllowed = *c.RefundsAllowed
	}
	return d, nil
}

// ChangeDispute takes a dispute to another status, or writes down what became known of it, by an operator's word. Errors:
// CodeInvalid, CodeInvalidState.
func (s *Service) ChangeDispute(ctx context.Context, shop, id uuid.UUID, c DisputeChange) (Dispute, error) {
	return s.changeDispute(ctx, shop, id, c, byOperator(c.Operator, s.Now()))
}

func (s *Service) changeDispute(ctx context.Context, shop, id uuid.UUID, c DisputeChange, r Observation) (Dispute, error) {
	before, err := s.Dispute(ctx, shop, id)
	if err != nil {
		return Dispute{}, err
	}
	after, err := c.apply(before)
	if err = cmp.Or(err, s.notPast(c.DueAt)); err != nil {
		return Dispute{}, err
	}
	to := before.Status
	if c.Status != nil {
		to = *c.Status
	}
	if !slices.Contains(disputeSteps[before.Status], to) {
		return Dispute{}, &Error{Code: CodeInvalidState, Message: fmt.Sprintf("A dispute that is %s cannot become %s.", before.Status, to)}
	}
	_, err = s.Store.UpdateOrder(ctx, Key{shop, before.OrderID}, func(o *Order) error {
		changed := o.stepDispute(before, after, to, c.evidence(r), c.Reason)
		after.Sequence, after.Status, after.UpdatedAt, after.ClosedAt = changed.Sequence, changed.Status, changed.UpdatedAt, changed.ClosedAt
		return nil
	})
	if errors.Is(err, ErrCaseTaken) {
		err = s.caseTaken(ctx, Key{shop, before.OrderID}, after.ProviderCase)
	}
	return after, err
}

// DisputeAction is what a shop decides about a dispute.
type DisputeAction string

// The actions.
const (
	// AcceptDispute takes it as it is: money that is gone is gone, money that came beside stays.
	AcceptDispute DisputeAction = "accept"
	// RefundDispute gives the money of a late success or unauthorized charge back to the customer.
	RefundDispute DisputeAction = "refund"
)

// ResolveDispute ends a dispute by its shop's decision. Errors: CodeInvalidState, CodeInvalid, and those of Refund.
func (s *Service) ResolveDispute(ctx context.Context, shop, id uuid.UUID, action DisputeAction) (Dispute, error) {
	d, err := s.Dispute(ctx, shop, id)
	if err != nil {
		return Dispute{}, err
	}
	reason := "the shop decided: " + string(action)
	if action == RefundDispute {
		return s.refundDispute(ctx, d, reason)
	}
	return s.resolveDispute(ctx, d, DisputeAccepted, reason)
}

// resolveDispute takes a dispute to another status by its shop's decision.
func (s *Service) resolveDispute(ctx context.Context, d Dispute, to DisputeStatus, reason string) (Dispute, error) {
	r := Observation{Source: SourceRequest, Status: StatusSucceeded, At: s.Now()}
	return s.changeDispute(ctx, d.ShopID, d.ID, DisputeChange{Status: &to, Reason: reason}, r)
}
