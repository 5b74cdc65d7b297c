package store

import (
	"context"
	"errors"
	"fmt"
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
		released, err = c.store.isRelease(ctx, &used)
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

// sealedRelease is what an operator releases.
func sealedRelease(a *db.PayoutApproval) *seal.Row {
	return seal.Of("payout_approvals").UUID(a.ShopID).UUID(a.ID).Text(a.Reference).Bytes(a.RequestHash).Text(a.AccountName).
		Int(a.Amount).Text(a.Currency).Time(a.ExpiresAt)
}

// isRelease reports whether an operator has released what a row says.
func (s *Store) isRelease(ctx context.Context, a *db.PayoutApproval) (bool, error) {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return false, err
	}
	if !sealer.Matches(sealedRelease(a), a.Seal) {
		s.sealBroken(Finding{"payout_approvals", a.ID.String(), releaseFinding})
		return false, nil
	}
	return true, nil
}

// releaseFinding is what is found of a release that was written by something else than payrelay.
const releaseFinding = "no operator has released this payout by a command"

// askApproval writes down that a payout waits for an operator, and returns the refusal that says so.
func (s *Store) askApproval(ctx context.Context, o *payment.Order) error {
	var found db.PayoutApproval
	err := s.write(ctx, "ask for a release", func(ctx context.Context, tx pgx.Tx) (err error) {
		q, now := db.New(tx), s.Now()
		if _, err = q.AskApproval(ctx, db.AskApprovalParams{
			ShopID: o.ShopID, ID: s.NewID(), Reference: text(o.Reference), RequestHash: o.RequestHash, AccountName: o.AccountName, Amount: o.Amount.Minor(),
			Currency: string(o.Amount.Currency()), Destination: text(o.Destination), RequestedAt: now, ExpiresAt: now.Add(payment.ApprovalLife),
		}); err != nil {
			return err
		}
		found, err = q.ApprovalOfReference(ctx, db.ApprovalOfReferenceParams{ShopID: o.ShopID, Reference: text(o.Reference)})
		return err
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
	err = s.read(ctx, "list payouts that wait", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.Approvals(ctx, s.Now())
		for _, r := range rows {
			list = append(list, waitingOf(r.Shop, r.PayoutApproval))
		}
		return err
	})
	return list, err
}

// DecidePayout releases or rejects a payout that waits. The shop sends a released one once more, within payment.ApprovalLife.
func (s *Store) DecidePayout(ctx context.Context, id uuid.UUID, to payment.ApprovalState) (decided WaitingPayout, err error) {
	err = s.write(ctx, "decide about a payout", func(ctx context.Context, tx pgx.Tx) error {
		q, now := db.New(tx), s.Now()
		row, err := q.LockApproval(ctx, id)
		a := row.PayoutApproval
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
		before := map[string]any{"state": a.State}
		a.State, a.ExpiresAt = string(to), now.Add(payment.ApprovalLife)
		decided = waitingOf(row.Shop, a)
		if to == payment.ApprovalReleased {
			sealer, err := s.sealer(ctx)
			if err != nil {
				return err
			}
			a.Seal = sealer.Seal(sealedRelease(&a))
		}
		if _, err := q.DecideApproval(ctx, db.DecideApprovalParams{State: a.State, ExpiresAt: a.ExpiresAt, Seal: a.Seal, ShopID: a.ShopID, ID: a.ID}); err != nil {
			return err
		}
		action := map[payment.ApprovalState]string{payment.ApprovalReleased: "payout release", payment.ApprovalRejected: "payout reject"}[to]
		return s.audit(ctx, q, act{action: action, kind: "payout", object: id.String(), shop: row.Shop, before: before, after: map[string]any{
			"state": a.State, "reference": a.Reference, "account": a.AccountName, "amount": a.Amount, "currency": a.Currency,
		}})
	})
	return decided, err
}
