package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// eraseLimit bounds an erasure, which reads the answers of the last days.
const eraseLimit = 10 * time.Minute

// ErrErased is returned for an order that was erased before.
var ErrErased = errors.New("the order was erased before")

// Erasure says what is to be erased, and what is asked before.
type Erasure struct {
	Order payment.Key
	// Command is what the audit log calls it.
	Command string
	// Rested is for how long nothing must have changed. Force erases before that, and lets notifications go that could not be
	// delivered.
	Rested time.Duration
	Force  bool
	// Repeats is the receipt of an earlier erasure of the order, in a database that a backup brought back.
	Repeats *Receipt
}

// Receipt is what an erasure left, for whoever has to prove it, and to repeat it after a backup is restored.
type Receipt struct {
	ID     uuid.UUID     `json:"id"`
	At     time.Time     `json:"at"`
	Shop   string        `json:"shop"`
	Forced bool          `json:"forced"`
	Orders []ErasedOrder `json:"orders"` // the one that was named, then its refunds
	Seal   string        `json:"seal"`   // made with the service's key, so that no receipt can be made up
}

// ErasedOrder is what is left of an order.
type ErasedOrder struct {
	ID        uuid.UUID      `json:"id"`
	Kind      string         `json:"kind"`
	Status    string         `json:"status"`
	Sequence  int32          `json:"sequence"`
	Currency  string         `json:"currency,omitempty"`
	Amount    int64          `json:"amount"`
	Captured  int64          `json:"amount_captured"`
	Refunded  int64          `json:"amount_refunded"`
	CreatedAt time.Time      `json:"created_at"`
	KeyDigest string         `json:"key_sha256"` // of the encrypted key that was destroyed; empty if it was before
	Payloads  []PayloadProof `json:"notifications"`
}

// PayloadProof is what is left of a notification's payload. The digest is empty if it could not be read any more.
type PayloadProof struct {
	Sequence int32  `json:"sequence"`
	SHA256   string `json:"sha256"`
}

// Erase destroys the data keys of an order and its refunds. Sums, statuses and the history stay. It is refused while money is
// open, a notification is to be delivered, or a hold is on.
func (s *Store) Erase(ctx context.Context, e Erasure) (*Receipt, error) {
	var receipt *Receipt
	if err := s.believed(ctx, e); err != nil {
		return nil, err
	}
	err := s.writeWithin(ctx, eraseLimit, "erase an order", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := lockFamily(ctx, tx, e.Order)
		if err != nil {
			return err
		}
		if err := s.erasable(ctx, tx, e, rows); err != nil {
			return err
		}
		receipt, err = s.destroy(ctx, tx, e, rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	return receipt, nil
}

// lockFamily locks an order and all that came of it: refunds, charges under its mandate, the order that carries its late money, and
// their refunds. Whoever locks several locks the payment first.
func lockFamily(ctx context.Context, tx pgx.Tx, order payment.Key) (family []*db.Order, err error) {
	which, ids := "id", []uuid.UUID{order.Order}
	for len(ids) > 0 {
		rows, err := tx.Query(ctx, orderQuery+" WHERE shop_id = $1 AND "+which+" = ANY($2) ORDER BY id FOR NO KEY UPDATE", order.Shop, ids)
		if err != nil {
			return nil, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[db.Order])
		if err != nil {
			return nil, err
		}
		family = append(family, found...)
		which, ids = "parent_id", idsOf(found)
	}
	if len(family) == 0 {
		return nil, payment.ErrNotFound
	}
	return family, nil
}

// erasable says why orders are not to be erased now.
func (s *Store) erasable(ctx context.Context, tx pgx.Tx, e Erasure, rows []*db.Order) error {
	if !slices.ContainsFunc(rows, func(r *db.Order) bool { return r.DataKey != nil }) {
		return ErrErased
	}
	for _, r := range rows {
		if _, err := s.loaded(ctx, r, nil); err != nil { // one that is frozen is looked into first
			return err
		}
		if reason := unfinished(r); reason != "" {
			return notErased("%s %s %s", r.Kind, r.ID, reason)
		}
		if until := r.UpdatedAt.Add(e.Rested); !e.Force && until.After(s.Now()) {
			return notErased("%s %s changed at %s. It may be erased from %s on, or before with --force if the law demands it", r.Kind, r.ID, r.UpdatedAt.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
		}
	}
	if err := s.mandatesEnded(ctx, tx, rows); err != nil {
		return err
	}
	q, ids := db.New(tx), idsOf(rows)
	if err := s.kept(ctx, q, e.Order.Shop, ids); err != nil {
		return err
	}
	undelivered, err := q.UndeliveredOf(ctx, db.UndeliveredOfParams{ShopID: e.Order.Shop, Orders: ids})
	if err != nil {
		return err
	}
	for _, d := range undelivered {
		if d.State == statePending || !e.Force {
			return notErased("notification %d of order %s is %s: wait until it is delivered, or give up those that are not sent any more with --force", d.Sequence, d.OrderID, d.State)
		}
	}
	return nil
}

// mandatesEnded refuses an erasure while something can be charged by a mandate of one of the orders.
func (s *Store) mandatesEnded(ctx context.Context, tx pgx.Tx, rows []*db.Order) error {
	for _, r := range rows {
		if !r.Recurring {
			continue
		}
		m, _, err := s.lockMandate(ctx, tx, payment.Key{Shop: r.ShopID, Order: r.ID}, nil)
		if err != nil {
			return err
		}
		if m.ByProvider = s.ownSchedule(r.Provider); !m.Ended(s.Now()) {
			return notErased("mandate %s is %s, so the customer may be charged by it. End it with 'server mandate revoke', and wait while it is revoking", r.ID, m.Status(s.Now()))
		}
	}
	return nil
}

func notErased(format string, args ...any) error {
	return &payment.Error{Code: payment.CodeInvalidState, Message: "Nothing was erased: " + fmt.Sprintf(format, args...) + "."}
}

// kept returns an error if one of the orders is under a hold, or has an open dispute.
func (s *Store) kept(ctx context.Context, q *db.Queries, shop uuid.UUID, ids []uuid.UUID) error {
	holds, err := q.HoldsOn(ctx, db.HoldsOnParams{ShopID: shop, Orders: ids})
	if err != nil {
		return err
	}
	if len(holds) > 0 {
		return notErased("order %s is under a hold (%s): end it first with 'server hold remove'", holds[0].OrderID, holds[0].Reason)
	}
	missing, err := s.missingHold(ctx, q, shop, ids)
	if err != nil {
		return err
	}
	if missing != nil {
		return notErased("the hold on order %s was taken away past payrelay. To end it, add it with 'server hold add' and remove it with 'server hold remove'", missing)
	}
	disputes, err := q.OpenDisputesOf(ctx, db.OpenDisputesOfParams{ShopID: shop, Orders: ids})
	if err != nil {
		return err
	}
	if len(disputes) > 0 {
		return notErased("order %s has the open dispute %s: what is known of it is evidence. Resolve it first", disputes[0].OrderID, disputes[0].ID)
	}
	return nil
}

// unfinished says what an order still waits for, "" for nothing.
func unfinished(r *db.Order) string {
	switch {
	case r.FinalizedAt == nil:
		return "is " + r.Status + ": money may still move"
	case r.Conflicts > 0:
		return "is in conflict: settle it first with 'server order resolve'"
	case r.NextPollAt != nil || r.PendingSince != nil:
		return "waits for the provider's answer to a question"
	}
	return ""
}

// destroy erases and writes down what is left.
func (s *Store) destroy(ctx context.Context, tx pgx.Tx, e Erasure, rows []*db.Order) (*Receipt, error) {
	q, ids, shop := db.New(tx), idsOf(rows), e.Order.Shop
	if err := s.removeAllPayloads(ctx, tx, shop, ids); err != nil {
		return nil, err
	}
	if err := s.removeAnswers(ctx, q, shop, rows); err != nil {
		return nil, err
	}
	for _, remove := range []func() error{
		func() error {
			_, err := q.DropDeliveries(ctx, db.DropDeliveriesParams{ShopID: shop, Orders: ids})
			return err
		},
		func() error {
			_, err := q.RemoveApprovals(ctx, db.RemoveApprovalsParams{ShopID: shop, Orders: ids})
			return err
		},
		func() error {
			_, err := q.RemoveFingerprints(ctx, db.RemoveFingerprintsParams{ShopID: shop, Orders: ids})
			return err
		},
		func() error {
			_, err := q.DestroyDataKeys(ctx, db.DestroyDataKeysParams{ShopID: shop, Orders: ids})
			return err
		},
		func() error {
			return q.ForgetConflictReasons(ctx, db.ForgetConflictReasonsParams{ShopID: shop, Orders: ids})
		},
	} {
		if err := remove(); err != nil {
			return nil, err
		}
	}
	receipt, err := s.receipt(ctx, q, e, rows)
	if err != nil {
		return nil, err
	}
	if e.Repeats != nil {
		if err := repeats(receipt, e.Repeats); err != nil {
			return nil, err
		}
	}
	return receipt, s.auditOrder(ctx, q, e.Order, act{action: e.Command, after: receipt})
}

// removeAllPayloads puts digests in the place of the orders' payloads, while they can be read.
func (s *Store) removeAllPayloads(ctx context.Context, tx pgx.Tx, shop uuid.UUID, orders []uuid.UUID) error {
	for {
		n, err := s.removePayloads(ctx, tx, "t.shop_id = $1 AND t.order_id = ANY ($2::uuid[])", shop, orders)
		if err != nil || n < retentionBatch {
			return err
		}
	}
}

// claimedBefore is how long before its order a key may have been claimed: for the time of a request, and as clocks differ.
const claimedBefore = time.Hour

// removeAnswers removes the answers under Idempotency-Keys that name one of the orders. They are encrypted, so all since shortly
// before the first order are read: retention keeps them for days.
func (s *Store) removeAnswers(ctx context.Context, q *db.Queries, shop uuid.UUID, orders []*db.Order) error {
	const page = 1000
	for after := ""; ; {
		answers, err := q.AnswersSince(ctx, db.AnswersSinceParams{ShopID: shop, Since: orders[0].CreatedAt.Add(-claimedBefore), AfterKey: after, MaxRows: page})
		if err != nil {
			return err
		}
		var naming []string
		for _, a := range answers {
			after = a.Key
			body, err := s.open(a.Body, claimOwner(shop, a.Key), fieldAnswer)
			if err != nil {
				continue // its key was retired: nobody reads it any more
			}
			for _, o := range orders {
				if bytes.Contains(body, []byte(o.ID.String())) {
					naming = append(naming, a.Key)
					break
				}
			}
		}
		if len(naming) > 0 {
			if _, err := q.RemoveAnswers(ctx, db.RemoveAnswersParams{ShopID: shop, Keys: naming}); err != nil {
				return err
			}
		}
		if len(answers) < page {
			return nil
		}
	}
}

// receipt says what is left of the orders. rows are as they were.
func (s *Store) receipt(ctx context.Context, q *db.Queries, e Erasure, rows []*db.Order) (*Receipt, error) {
	digests, err := q.DigestsOf(ctx, db.DigestsOfParams{ShopID: e.Order.Shop, Orders: idsOf(rows)})
	if err != nil {
		return nil, err
	}
	shop, err := q.ShopName(ctx, e.Order.Shop)
	if err != nil {
		return nil, err
	}
	receipt := &Receipt{ID: s.NewID(), At: s.Now().UTC(), Shop: shop, Forced: e.Force}
	for _, r := range rows {
		o := ErasedOrder{
			ID: r.ID, Kind: r.Kind, Status: r.Status, Sequence: r.Sequence, Captured: r.AmountCaptured, Refunded: r.AmountRefunded,
			CreatedAt: r.CreatedAt.UTC(), KeyDigest: digestOf(r.DataKey), Payloads: []PayloadProof{},
		}
		if r.Amount != nil && r.Currency != nil {
			o.Amount, o.Currency = *r.Amount, *r.Currency
		}
		for _, d := range digests {
			if d.OrderID == r.ID {
				o.Payloads = append(o.Payloads, PayloadProof{d.Sequence, hex.EncodeToString(d.PayloadDigest)})
			}
		}
		receipt.Orders = append(receipt.Orders, o)
	}
	sealer, err := s.sealer(ctx)
	if err != nil {
		return nil, err
	}
	receipt.Seal = hex.EncodeToString(sealer.Seal(sealedReceipt(receipt)))
	return receipt, nil
}

func digestOf(b []byte) string {
	if b == nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func idsOf(rows []*db.Order) []uuid.UUID {
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}
