package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

// refusesToClose says why an account stays open.
func (b *fixture) refusesToClose(t *testing.T) string {
	t.Helper()
	err := b.CloseAccount(t.Context(), "EUR-1")
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "%v", err)
	_, open, _ := strings.Cut(err.Error(), "open there: ")
	open, _, _ = strings.Cut(open, ". Drain it")
	return open
}

func TestAnAccountIsClosedOnlyWhenNothingIsOpenThere(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid, held := b.paid(t, "paid", 1000), b.create(t, "held", 1000)
	require.Equal(t, "1 × payment created", b.refusesToClose(t))
	b.report(t, held.Key(), payment.StatusAuthorized)
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, paid, "refund", 100))
	require.NoError(t, err)
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitApproval, Kind: gateway.KindPayout, Amount: 500, Enforced: true}, "first")
	waiting := b.waits(t, "large", payment.CodeApprovalPending)
	other := b.newAccount(t, "EUR-2", "first")
	elsewhere := b.draft(t, "elsewhere", 1000)
	elsewhere.AccountID, elsewhere.AccountName = other.ID, other.Name
	_, _, err = b.CreateOrder(t.Context(), elsewhere)
	require.NoError(t, err)
	require.Equal(t, "1 × payment authorized, 1 × refund created, 1 × payout that waits for a release or was released", b.refusesToClose(t), "what is open elsewhere is no matter")
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM accounts WHERE name = 'EUR-1' AND mode = 'enabled'"))

	b.report(t, held.Key(), payment.StatusCanceled)
	b.report(t, refund.Key(), payment.StatusSucceeded)
	_, err = b.DecidePayout(t.Context(), waiting.ID, payment.ApprovalRejected)
	require.NoError(t, err)
	contradicted := b.paid(t, "contradicted", 1000)
	b.contradict(t, contradicted)
	require.Equal(t, "1 × payment succeeded with a conflict", b.refusesToClose(t))
	b.chargeback(t, b.paid(t, "disputed", 1000).Key(), 1000)
	require.Contains(t, b.refusesToClose(t), ", 1 × dispute")
}

// A closed account stays closed, and nothing begins or goes on there. Money that comes late is written down all the same, and is a dispute.
func TestAClosedAccountStaysClosed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	m := &mover{}
	service := b.mover(m)
	failed := b.report(t, b.create(t, "failed", 1000).Key(), payment.StatusFailed)
	parents := map[gateway.Status]payment.Key{gateway.StatusSucceeded: b.parent(t, m, service, "parent", gateway.StatusSucceeded)}
	_, err := service.RevokeMandate(t.Context(), parents[gateway.StatusSucceeded])
	require.NoError(t, err)
	require.NoError(t, b.CloseAccount(t.Context(), "EUR-1"))
	before := b.count(t, "SELECT count(*) FROM orders")
	calls := m.asked
	for _, move := range everyMove {
		parent, made := parents[move.on]
		if move.on != "" && !made {
			continue // nothing like it can be there
		}
		err := move.do(t.Context(), service, b.shop.ID, move.name, parent)
		require.Equal(t, payment.CodeDisabled, payment.CodeOf(err), "%s: %v", move.name, err)
		require.ErrorContains(t, err, "closed for good")
	}
	require.Equal(t, before, b.count(t, "SELECT count(*) FROM orders"))
	require.Equal(t, calls, m.asked)

	for name, change := range map[string]func() error{
		"enable": func() error { return b.SetAccountMode(t.Context(), "EUR-1", shop.ModeEnabled) },
		"drain":  func() error { return b.SetAccountMode(t.Context(), "EUR-1", shop.ModeDrain) },
		"close":  func() error { return b.CloseAccount(t.Context(), "EUR-1") },
	} {
		err := change()
		require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), name)
		require.ErrorContains(t, err, "is closed, and stays so", name)
	}

	verdict, _, err := b.applyCallback(t.Context(), b.callback("late", failed.ProviderOrderID), func(o *payment.Order) (payment.Verdict, string) {
		return o.Record(b.newReport(payment.StatusSucceeded)), "late"
	})
	require.NoError(t, err)
	require.Equal(t, payment.Apply, verdict)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM disputes WHERE kind = 'late_success'"), "operators are told")

	// What was changed past payrelay is accepted, and closed still.
	b.byHand(t, "UPDATE accounts SET purpose = 'payments' WHERE name = 'EUR-1'")
	require.NoError(t, b.AcceptAccount(t.Context(), "EUR-1"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM accounts WHERE mode = 'closed'"))
}

// An order that is being written down while its account is closed is seen, or is not written.
func TestAnOrderIsNotLostBehindAClosing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.paid(t, "paid", 1000)
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), "WITH n AS (INSERT INTO orders SELECT r.* FROM orders o CROSS JOIN LATERAL jsonb_populate_record(o, "+
		"jsonb_build_object('id', gen_random_uuid(), 'reference', 'other', 'sequence', 1, 'status', 'created', 'finalized_at', NULL, 'amount_captured', 0)) r RETURNING *), "+
		"r AS (INSERT INTO order_references SELECT shop_id, kind, reference, id FROM n) "+
		"INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, at) SELECT shop_id, id, 1, '', 'created', 'request', now() FROM n")
	require.NoError(t, err)
	closed := make(chan error, 1)
	go func() { closed <- b.CloseAccount(t.Context(), "EUR-1") }()
	require.Eventually(t, func() bool {
		return b.count(t, "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareLock' AND relation = 'orders'::regclass") == 1
	}, waitTimeout, time.Millisecond)
	require.NoError(t, tx.Commit(t.Context()))
	require.ErrorContains(t, <-closed, "1 × payment created")
}
