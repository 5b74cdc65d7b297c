package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/sandbox"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
)

// ledger reads what both simulators did.
func ledger(simulators *sandbox.Sandbox) []Effect {
	var all []Effect
	for _, o := range simulators.SmartCore().Orders(0) {
		all = append(all, smartcoreEffect(o))
	}
	for _, o := range simulators.UAPAY().Orders(0) {
		all = append(all, uapayEffects(o)...)
	}
	return all
}

// kindScheduled is of a later charge that the provider made by its own schedule.
const kindScheduled = "scheduled"

// kindUnasked is of money that went back without a request of ours.
const kindUnasked = "unasked"

func smartcoreEffect(o smartcore.Order) Effect {
	e := Effect{Provider: "smartcore", Merchant: o.Merchant, ID: o.OrderID, Reference: o.Purpose, Kind: "payment", Sum: o.FinalAmount, Currency: o.Currency, Code: o.Error}
	switch {
	case o.Operation == smartcore.OpRefund:
		e.Kind, e.RefundID, e.Started = "refund", o.UUID, o.CreatedAt
		if o.EndedAt != nil {
			e.Ended = *o.EndedAt
		}
	case o.Back():
		e.Kind = kindUnasked
	case o.Operation == smartcore.OpTokenize:
		e.Kind = "payout_card"
	case o.Withdrawal():
		e.Kind = "payout"
	}
	for _, c := range o.Callbacks {
		for _, a := range c.Attempts {
			e.Acknowledged = e.Acknowledged || a.Status == http.StatusOK && (c.Variant == "" || c.Variant == "genuine") && o.Terminal()
		}
	}
	e.State = smartcoreState(o)
	return e
}

func smartcoreState(o smartcore.Order) State {
	switch {
	case o.Canceled:
		return Canceled
	case o.Stage == smartcore.StageAuthorized:
		return Held
	case o.Stage != smartcore.StageDone:
		return Open
	case o.Status == smartcore.StatusSuccess:
		return Paid
	}
	return Failed
}

func uapayEffects(o uapay.Order) []Effect {
	e := Effect{Provider: "uapay", Merchant: o.ClientID, ID: o.ExternalID, Reference: o.Description, Kind: "payment", State: Open, Sum: o.Amount}
	switch o.Kind {
	case uapay.KindA2C:
		e.Kind = "payout"
	case uapay.KindDirect:
		e.Kind = "transfer"
	case uapay.KindInvoice, uapay.KindC2A:
	}
	if len(o.Payments) == 0 {
		switch {
		case o.Inactive:
			e.State = Canceled
		case strings.Contains(o.ExtraInfo, `"payrelay":"direct"`):
			e.State = Empty
		}
		return []Effect{e}
	}
	var all []Effect
	for _, p := range o.Payments {
		one := e
		one.Sum = p.Amount
		if o.Type == "SUBSCRIBE" && slices.ContainsFunc(all, Effect.moved) { // the provider made it by its own schedule
			one.Kind, one.Reference, one.ChargeID = kindScheduled, "", p.ID
		}
		switch p.System {
		case uapay.SystemFinished, uapay.SystemReversed:
			one.State = Paid
		case uapay.SystemHolded:
			one.State = Held
		case uapay.SystemRejected, uapay.SystemClosed:
			one.State = Failed
		case uapay.SystemCanceled:
			one.State = Canceled
		}
		all = append(all, one)
		if p.Refunded > 0 {
			all = append(all, Effect{Provider: "uapay", Merchant: o.ClientID, ID: o.ExternalID, Kind: "refund", State: Paid, Sum: p.Refunded})
		}
	}
	return all
}

// recharged counts the subscriptions that the provider charged again by its own schedule.
func recharged(orders []uapay.Order) int {
	return count(orders, func(o uapay.Order) bool {
		return o.Type == "SUBSCRIBE" && count(o.Payments, func(p *uapay.Payment) bool { return p.PaidAt != nil }) > 1
	})
}

// readDatabase reads our records.
func readDatabase(ctx context.Context, address string) (Snapshot, error) {
	var b Snapshot
	db, err := pgx.Connect(ctx, address)
	if err != nil {
		return b, fmt.Errorf("read the database: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	conn, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}) // everything as of one instant
	if err != nil {
		return b, fmt.Errorf("read the database: %w", err)
	}
	rows, err := conn.Query(ctx, `SELECT o.id::text, o.shop_id::text, o.kind, o.reference, o.status, o.provider, o.provider_order_id, o.provider_reference,
		coalesce(o.parent_id::text, ''), coalesce(o.amount, 0), o.amount_captured, o.amount_authorized, o.amount_refunded, o.amount_reserved, o.sequence, o.conflicts,
		o.created_at, o.finalized_at,
		coalesce((SELECT array_agg(c.reason ORDER BY c.at) FROM order_conflicts c WHERE c.shop_id = o.shop_id AND c.order_id = o.id), '{}'),
		(SELECT count(*)::int FROM callbacks c WHERE c.shop_id = o.shop_id AND c.order_id = o.id AND c.verdict = 'apply'),
		EXISTS (SELECT 1 FROM provider_calls c WHERE c.shop_id = o.shop_id AND c.order_id = o.id AND c.operation = 'refund' AND c.outcome <> 'unknown'),
		(SELECT min(c.started_at) FROM provider_calls c WHERE c.shop_id = o.shop_id AND c.order_id = o.id AND c.operation = o.kind AND o.kind IN ('refund', 'payout')),
		(SELECT coalesce(max(c.duration_ms), 0) FROM provider_calls c WHERE c.shop_id = o.shop_id AND c.order_id = o.id AND c.operation = o.kind AND o.kind IN ('refund', 'payout')),
		CASE WHEN o.capture_amount > 0 THEN o.capture_amount ELSE coalesce(o.amount, 0) END, coalesce(o.currency, ''), o.account_name
		FROM orders o ORDER BY o.id`)
	if err != nil {
		return b, fmt.Errorf("read orders: %w", err)
	}
	at := map[string]int{}
	var r Row
	var finalized, called *time.Time
	var took int64 // ms
	if _, err := pgx.ForEachRow(rows, []any{
		&r.ID, &r.Shop, &r.Kind, &r.Reference, &r.Status, &r.Provider, &r.ProviderOrderID, &r.ProviderReference, &r.Parent, &r.Amount, &r.Captured, &r.Authorized,
		&r.Refunded, &r.Reserved, &r.Sequence, &r.Conflicts, &r.CreatedAt, &finalized, &r.ConflictReasons, &r.Applied, &r.Answered, &called, &took, &r.Asked, &r.Currency, &r.Account,
	}, func() error {
		next := r
		next.FinalizedAt, next.Called, next.CallTook = copied(finalized), copied(called), time.Duration(took)*time.Millisecond
		next.ConflictReasons = append([]string(nil), r.ConflictReasons...)
		at[next.ID] = len(b.Rows)
		b.Rows = append(b.Rows, next)
		return nil
	}); err != nil {
		return b, fmt.Errorf("read orders: %w", err)
	}
	rows, err = conn.Query(ctx, `SELECT order_id::text, sequence, from_status, to_status, source, at FROM order_transitions ORDER BY order_id, sequence`)
	if err != nil {
		return b, fmt.Errorf("read transitions: %w", err)
	}
	var id string
	var s Step
	if _, err := pgx.ForEachRow(rows, []any{&id, &s.Sequence, &s.From, &s.To, &s.Cause, &s.At}, func() error {
		if i, ok := at[id]; ok {
			b.Rows[i].Steps = append(b.Rows[i].Steps, s)
		}
		return nil
	}); err != nil {
		return b, fmt.Errorf("read transitions: %w", err)
	}
	if err := readAttempts(ctx, conn, func(id string, e Ended) { b.Rows[at[id]].Ended = append(b.Rows[at[id]].Ended, e) }); err != nil {
		return b, err
	}
	rows, err = conn.Query(ctx, `SELECT order_id::text, kind, amount FROM disputes ORDER BY opened_at`)
	if err != nil {
		return b, fmt.Errorf("read disputes: %w", err)
	}
	var d Dispute
	if _, err := pgx.ForEachRow(rows, []any{&id, &d.Kind, &d.Amount}, func() error {
		b.Rows[at[id]].Disputes = append(b.Rows[at[id]].Disputes, d)
		return nil
	}); err != nil {
		return b, fmt.Errorf("read disputes: %w", err)
	}
	b.Kept = map[string]bool{}
	rows, err = conn.Query(ctx, `SELECT account_id::text, encode(dedupe_key, 'hex') FROM callbacks UNION ALL SELECT account_id::text, encode(dedupe_key, 'hex') FROM orderless_callbacks`)
	if err != nil {
		return b, fmt.Errorf("read callbacks: %w", err)
	}
	var account, key string
	if _, err := pgx.ForEachRow(rows, []any{&account, &key}, func() error {
		b.Kept[account+"/"+key] = true
		return nil
	}); err != nil {
		return b, fmt.Errorf("read callbacks: %w", err)
	}
	b.Legal = map[[2]string]bool{}
	rows, err = conn.Query(ctx, `SELECT from_status, to_status FROM legal_transitions`)
	if err != nil {
		return b, fmt.Errorf("read the legal steps: %w", err)
	}
	var from, to string
	_, err = pgx.ForEachRow(rows, []any{&from, &to}, func() error {
		b.Legal[[2]string{from, to}] = true
		return nil
	})
	return b, err
}

// readAttempts reads the attempts that ended.
func readAttempts(ctx context.Context, conn pgx.Tx, each func(order string, e Ended)) error {
	rows, err := conn.Query(ctx, `SELECT a.order_id::text, a.number, a.account_name, a.provider_order_id, a.reason, a.failure_code, a.ended_at,
		(SELECT coalesce(array_agg(DISTINCT c.outcome), '{}') FROM provider_calls c
			WHERE c.shop_id = a.shop_id AND c.order_id = a.order_id AND c.operation = 'create_payment' AND c.started_at < a.ended_at),
		EXISTS (SELECT 1 FROM provider_calls c
			WHERE c.shop_id = a.shop_id AND c.order_id = a.order_id AND c.operation = 'fetch' AND c.outcome = 'failed' AND c.started_at < a.ended_at)
		FROM order_attempts a ORDER BY a.order_id, a.number`)
	if err != nil {
		return fmt.Errorf("read attempts: %w", err)
	}
	var id string
	var e Ended
	if _, err := pgx.ForEachRow(rows, []any{&id, &e.Number, &e.Account, &e.ProviderOrderID, &e.Reason, &e.FailureCode, &e.At, &e.Outcomes, &e.Shown}, func() error {
		next := e
		next.Outcomes = append([]string(nil), e.Outcomes...)
		each(id, next)
		return nil
	}); err != nil {
		return fmt.Errorf("read attempts: %w", err)
	}
	return nil
}

// copied keeps a time that the next row is read over.
func copied(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}

func idText(id [16]byte) string { return uuid.UUID(id).String() }
