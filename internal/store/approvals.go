package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// errNotReleased ends the transaction of a payout that an operator must release first.
var errNotReleased = errors.New("an operator must release it")

// useApproval has an order above the limit of its approval use one that was released.
func (c *counting) useApproval(ctx context.Context, q *db.Queries, o *payment.Order) error {
	if c.approval == nil {
		return nil
	}
	used, err := q.UseApproval(ctx, db.UseApprovalParams{
		OrderID: o.ID, ShopID: o.ShopID, Reference: text(o.Reference), RequestHash: o.RequestHash, Now: c.store.Now(),
	})
	released := err == nil
	if released {
		released, err = c.store.isWritten(ctx, q, &used)
		released = released && asksFor(o, &used)
	}
	if released || err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	c.hits = append(c.hits, payment.LimitHit{Limit: *c.approval, Shop: o.ShopID})
	if c.approval.Enforced {
		return errNotReleased
	}
	return nil
}

// ApprovalAccount implements payment.Store. Without a limit that asks for approvals nothing is read.
func (s *Store) ApprovalAccount(ctx context.Context, shop uuid.UUID, reference string, requestHash []byte) (string, error) {
	e, err := s.entries(ctx)
	if err != nil || !slices.ContainsFunc(e.limits, func(l payment.Limit) bool { return l.Rule == payment.LimitApproval }) {
		return "", err
	}
	account := ""
	err = s.read(ctx, "load an approval", func(ctx context.Context, q *db.Queries) error {
		found, err := q.ApprovalOfReference(ctx, db.ApprovalOfReferenceParams{ShopID: shop, Reference: text(reference)})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil || !bytes.Equal(found.RequestHash, requestHash) || !found.ExpiresAt.After(s.Now()) {
			return err
		}
		written, err := s.isWritten(ctx, q, &found)
		if written {
			account = found.AccountName
		}
		return err
	})
	return account, err
}

// asksFor reports whether an order is what the operator saw. The order's own request says what is sent.
func asksFor(o *payment.Order, a *db.PayoutApproval) bool {
	return a.Amount == o.Amount.Minor() && a.Currency == string(o.Amount.Currency()) && a.AccountName == o.AccountName && a.Destination == text(o.Destination)
}

// sealedApproval is what payrelay writes down of a payout that waits, and what an operator decides about it. One that was used was released.
func sealedApproval(a *db.PayoutApproval) *seal.Row {
	return seal.Of("payout_approvals").UUID(a.ShopID).UUID(a.ID).Text(a.Reference).Bytes(a.RequestHash).Text(a.AccountName).
		Int(a.Amount).Text(a.Currency).Text(a.Destination).Text(string(decidedState(a))).Time(a.RequestedAt).Time(a.ExpiresAt)
}

// decidedState is what an operator decided about a payout that waits. One that was used was released.
func decidedState(a *db.PayoutApproval) payment.ApprovalState {
	if state := payment.ApprovalState(a.State); state != payment.ApprovalUsed {
		return state
	}
	return payment.ApprovalReleased
}

// approvalActs are the operators' acts that lead to each state. Nothing led to the one that a payout waits in.
var approvalActs = map[payment.ApprovalState]string{payment.ApprovalWaiting: "", payment.ApprovalReleased: "payout release", payment.ApprovalRejected: "payout reject"}

// asWritten reports whether payrelay has written what a row says, and nothing since: a row from before the last decision, which the audit
// log knows, has a seal, too.
func (s *Store) asWritten(ctx context.Context, q *db.Queries, a *db.PayoutApproval) (bool, error) {
	sealer, err := s.sealer(ctx)
	if err != nil || !sealer.Matches(sealedApproval(a), a.Seal) {
		return false, err
	}
	newest, err := q.NewestAuditAbout(ctx, db.NewestAuditAboutParams{ObjectKind: approvalKind, ObjectID: a.ID.String()})
	last := ""
	for _, e := range newest {
		if last = e.AuditLog.Action; !sealedBehind(sealer, e.BeforeSeal, e.AuditLog) {
			return false, err
		}
	}
	return last == approvalActs[decidedState(a)], err
}

// isWritten is asWritten, and says so if a row is not.
func (s *Store) isWritten(ctx context.Context, q *db.Queries, a *db.PayoutApproval) (bool, error) {
	written, err := s.asWritten(ctx, q, a)
	if err == nil && !written {
		s.sealBroken(Finding{"payout_approvals", a.ID.String(), approvalFinding})
	}
	return written, err
}

// approvalKind is what the audit log calls a payout that waits.
const approvalKind = "payout"

// approvalFinding is what is found of a payout that something else than payrelay changed or released.
const approvalFinding = "this payout that waits, or its release, was not written by payrelay"

// askApproval writes down that a payout waits for an operator, and returns the refusal that says so. A row that payrelay has not
// written is replaced.
func (s *Store) askApproval(ctx context.Context, o *payment.Order) error {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	var found db.PayoutApproval
	err = s.write(ctx, "ask for a release", func(ctx context.Context, tx pgx.Tx) (err error) {
		q, now := db.New(tx), s.Now()
		fresh := db.PayoutApproval{
			ShopID: o.ShopID, ID: s.NewID(), Reference: text(o.Reference), RequestHash: o.RequestHash, AccountName: o.AccountName, Amount: o.Amount.Minor(),
			Currency: string(o.Amount.Currency()), Destination: text(o.Destination), State: string(payment.ApprovalWaiting), RequestedAt: now, ExpiresAt: now.Add(payment.ApprovalLife),
		}
		ask := func(altered bool) error {
			_, err := q.AskApproval(ctx, db.AskApprovalParams{
				ShopID: fresh.ShopID, ID: fresh.ID, Reference: fresh.Reference, RequestHash: fresh.RequestHash, AccountName: fresh.AccountName, Amount: fresh.Amount,
				Currency: fresh.Currency, Destination: fresh.Destination, RequestedAt: fresh.RequestedAt, ExpiresAt: fresh.ExpiresAt,
				Seal: sealer.Seal(sealedApproval(&fresh)), Altered: altered,
			})
			return err
		}
		if err = ask(false); err != nil {
			return err
		}
		if found, err = q.ApprovalOfReference(ctx, db.ApprovalOfReferenceParams{ShopID: o.ShopID, Reference: text(o.Reference)}); err != nil {
			return err
		}
		if written, err := s.isWritten(ctx, q, &found); err != nil || written {
			return err
		}
		found = fresh
		return ask(true)
	})
	if err != nil {
		return err
	}
	return payment.NotReleased(approvalOf(found), o)
}

func approvalOf(a db.PayoutApproval) payment.Approval {
	return payment.Approval{ID: a.ID, State: payment.ApprovalState(a.State), ExpiresAt: a.ExpiresAt.UTC(), RequestHash: a.RequestHash}
}

// WaitingPayout is a payout that an operator must release, or that was released and is not sent yet.
type WaitingPayout struct {
	payment.Approval
	Shop, Account, Reference string
	Amount                   int64
	Currency                 money.Currency
	Destination              string // masked
	RequestedAt              time.Time
}

func waitingOf(shopName string, a db.PayoutApproval) WaitingPayout {
	return WaitingPayout{
		Approval: approvalOf(a), Shop: shopName, Account: a.AccountName, Reference: a.Reference, Amount: a.Amount, Currency: money.Currency(a.Currency),
		Destination: a.Destination, RequestedAt: a.RequestedAt.UTC(),
	}
}

// WaitingPayouts lists the payouts that operators must release, and those that were released and are not sent yet, the longest first.
func (s *Store) WaitingPayouts(ctx context.Context) (list []WaitingPayout, err error) {
	err = s.snapshot(ctx, "list payouts that wait", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.Approvals(ctx, s.Now())
		if err != nil {
			return err
		}
		for _, r := range rows {
			written, err := s.isWritten(ctx, q, &r.PayoutApproval)
			if err != nil {
				return err
			}
			if !written {
				r.PayoutApproval = alteredApproval(r.PayoutApproval)
			}
			list = append(list, waitingOf(r.Shop, r.PayoutApproval))
		}
		return nil
	})
	return list, err
}

// alteredApproval is what can be shown of a row that payrelay has not written: only that it is there.
func alteredApproval(a db.PayoutApproval) db.PayoutApproval {
	return db.PayoutApproval{ShopID: a.ShopID, ID: a.ID, State: string(payment.ApprovalAltered), RequestedAt: a.RequestedAt, ExpiresAt: a.ExpiresAt}
}

// errAltered refuses to decide about what payrelay has not written.
var errAltered error = &payment.Error{Code: payment.CodeInvalidState, Message: "This payout is not as payrelay wrote it down: something else changed the database. Nothing was decided. Find out who ('server audit verify'); when the shop sends its request once more, it is written down anew."}

// DecidePayout releases or rejects a payout that waits. The shop sends a released one once more, within payment.ApprovalLife.
func (s *Store) DecidePayout(ctx context.Context, id uuid.UUID, to payment.ApprovalState) (decided WaitingPayout, err error) {
	err = s.write(ctx, "decide about a payout", func(ctx context.Context, tx pgx.Tx) error {
		q, now := db.New(tx), s.Now()
		var a db.PayoutApproval
		shop, err := q.ShopOfApproval(ctx, id)
		if err == nil {
			a, err = q.LockApproval(ctx, db.LockApprovalParams{ShopID: shop.ID, ID: id})
		}
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return &payment.Error{Code: payment.CodeNotFound, Message: "No payout waits under this id. 'server payout list' names those that do."}
		case err != nil:
			return err
		case a.State == string(payment.ApprovalUsed):
			return &payment.Error{Code: payment.CodeInvalidState, Message: fmt.Sprintf("This payout was released and sent: it is order %s.", a.OrderID)}
		case !a.ExpiresAt.After(now):
			return &payment.Error{Code: payment.CodeInvalidState, Message: "This payout has waited too long and is given up. If the shop sends it once more, it waits anew."}
		}
		if written, err := s.isWritten(ctx, q, &a); err != nil || !written {
			return cmp.Or(err, errAltered)
		}
		before := map[string]any{"state": a.State}
		a.State, a.ExpiresAt = string(to), now.Add(payment.ApprovalLife)
		decided = waitingOf(shop.Name, a)
		sealer, err := s.sealer(ctx)
		if err != nil {
			return err
		}
		a.Seal = sealer.Seal(sealedApproval(&a))
		if _, err := q.DecideApproval(ctx, db.DecideApprovalParams{State: a.State, ExpiresAt: a.ExpiresAt, Seal: a.Seal, ShopID: a.ShopID, ID: a.ID}); err != nil {
			return err
		}
		return s.audit(ctx, q, act{action: approvalActs[to], kind: approvalKind, object: id.String(), shop: shop.Name, before: before, after: map[string]any{
			"state": a.State, "reference": a.Reference, "account": a.AccountName, "amount": a.Amount, "currency": a.Currency,
		}})
	})
	return decided, err
}
