package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// draftPayout makes a payout that is not stored yet.
func (b *fixture) draftPayout(t *testing.T, reference string, minor int64) *payment.Order {
	t.Helper()
	o := b.draft(t, reference, minor)
	o.Kind, o.Destination = gateway.KindPayout, "card 401200******3010"
	return o
}

// waits sends a payout that must not be made, and returns what it waits for.
func (b *fixture) waits(t *testing.T, reference string, code payment.Code) payment.Approval {
	t.Helper()
	_, _, err := b.CreateOrder(t.Context(), b.draftPayout(t, reference, 501))
	require.Equal(t, code, payment.CodeOf(err), "%v", err)
	require.Zero(t, b.count(t, "SELECT count(*) FROM order_references WHERE reference = $1", reference))
	e, _ := errors.AsType[*payment.Error](err)
	return *e.Approval
}

func TestAPayoutAboveTheSumWaitsForARelease(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var hits []payment.LimitHit
	b.LimitHit = func(_ context.Context, h payment.LimitHit) { hits = append(hits, h) }
	rule := payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitApproval, Kind: gateway.KindPayout, Amount: 500}
	b.setLimit(t, rule, "first")
	_, _, err := b.CreateOrder(t.Context(), b.draftPayout(t, "observed", 501))
	require.NoError(t, err)
	require.Len(t, hits, 1)
	rule.Enforced = true
	b.setLimit(t, rule, "first")
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitDay, Kind: gateway.KindPayout, Amount: 2000, Enforced: true}, "first")
	_, _, err = b.CreateOrder(t.Context(), b.draftPayout(t, "small", 500))
	require.NoError(t, err)

	asked := b.waits(t, "large", payment.CodeApprovalPending)
	require.Equal(t, asked, b.waits(t, "large", payment.CodeApprovalPending), "a repeat waits for the same")
	other := b.draftPayout(t, "large", 501)
	other.RequestHash = []byte("another request")
	_, _, err = b.CreateOrder(t.Context(), other)
	require.Equal(t, payment.CodeReferenceConflict, payment.CodeOf(err), "%v", err)
	list, err := b.WaitingPayouts(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "card 401200******3010", list[0].Destination)
	require.Equal(t, 500, b.count(t, "SELECT sum(amount) FROM limit_uses"), "what waits is in no window yet")

	_, err = b.DecidePayout(t.Context(), asked.ID, payment.ApprovalReleased)
	require.NoError(t, err)
	_, _, err = b.CreateOrder(t.Context(), other)
	require.Equal(t, payment.CodeReferenceConflict, payment.CodeOf(err), "the release is of the request that was seen: %v", err)
	made := 0
	drafts := make([]*payment.Order, 10)
	for i := range drafts {
		drafts[i] = b.draftPayout(t, "large", 501)
	}
	for _, err := range race(len(drafts), func(i int) error {
		_, created, err := b.CreateOrder(t.Context(), drafts[i])
		if err == nil && !created {
			return payment.ErrRecorded
		}
		return err
	}) {
		if err == nil {
			made++
		}
	}
	require.Equal(t, 1, made, "one release is one order")
	_, err = b.DecidePayout(t.Context(), asked.ID, payment.ApprovalRejected)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "%v", err)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM audit_log WHERE action = 'payout release'"))
}

func TestAPayoutThatIsNotReleasedIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitApproval, Kind: gateway.KindPayout, Amount: 500, Enforced: true}, "first")
	late := b.waits(t, "late", payment.CodeApprovalPending)
	b.clock.Add(24 * time.Hour)
	_, err := b.DecidePayout(t.Context(), late.ID, payment.ApprovalReleased)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "%v", err)
	anew := b.waits(t, "late", payment.CodeApprovalPending)
	require.NotEqual(t, late.ID, anew.ID)
	_, err = b.DecidePayout(t.Context(), anew.ID, payment.ApprovalReleased)
	require.NoError(t, err)
	b.clock.Add(24 * time.Hour)
	unused := b.waits(t, "late", payment.CodeApprovalPending)
	require.NotEqual(t, anew.ID, unused.ID, "a release is not for ever")

	_, err = b.DecidePayout(t.Context(), unused.ID, payment.ApprovalRejected)
	require.NoError(t, err)
	require.Equal(t, payment.ApprovalRejected, b.waits(t, "late", payment.CodeApprovalRejected).State)
	_, err = b.DecidePayout(t.Context(), uuid.New(), payment.ApprovalReleased)
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(err))
}

// A state that was written by something else than a command releases nothing.
func TestAReleaseIsAnOperators(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var heard []store.Finding
	b.SealBroken = func(f store.Finding) { heard = append(heard, f) }
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitApproval, Kind: gateway.KindPayout, Amount: 500, Enforced: true}, "first")
	forged := b.waits(t, "forged", payment.CodeApprovalPending)
	require.Empty(t, b.verify(t), "what waits is sealed")
	b.exec(t, "UPDATE payout_approvals SET state = 'released'")
	want := store.Finding{Table: "payout_approvals", ID: forged.ID.String(), What: "this payout that waits, or its release, was not written by payrelay"}
	require.Equal(t, []store.Finding{want}, b.verify(t))
	anew := b.waits(t, "forged", payment.CodeApprovalPending)
	require.NotEqual(t, forged.ID, anew.ID, "it is written down anew")
	require.Contains(t, heard, want)
	require.Empty(t, b.verify(t))

	_, err := b.DecidePayout(t.Context(), anew.ID, payment.ApprovalReleased)
	require.NoError(t, err)
	require.Empty(t, b.verify(t))
	want.ID = anew.ID.String()
	for _, change := range []string{
		"amount = 1", "account_name = 'other'", "currency = 'USD'", "expires_at = expires_at + interval '1 day'", "reference = 'other'", "request_hash = 'x'",
		"state = 'waiting'", `destination = '{"card":"411111******1111"}'`,
	} {
		b.exec(t, "CREATE TABLE kept AS SELECT * FROM payout_approvals")
		b.exec(t, "UPDATE payout_approvals SET "+change)
		require.Equal(t, []store.Finding{want}, b.verify(t), change)
		b.exec(t, "DELETE FROM payout_approvals")
		b.exec(t, "INSERT INTO payout_approvals SELECT * FROM kept")
		b.exec(t, "DROP TABLE kept")
	}
	_, created, err := b.CreateOrder(t.Context(), b.draftPayout(t, "forged", 501))
	require.NoError(t, err)
	require.True(t, created)
	require.Empty(t, b.verify(t), "one that was used is as it was released")
}

// TestAnOperatorSeesWhatIsSent shows another payout's data to the operator, before the release and after it. The request that the shop
// repeats is what is sent, so neither may lead to an order.
func TestAnOperatorSeesWhatIsSent(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitApproval, Kind: gateway.KindPayout, Amount: 500, Enforced: true}, "first")
	honest, evil := b.draftPayout(t, "honest", 501), b.draftPayout(t, "evil", 90_000)
	evil.Destination = "card 555555******4444"
	ask := func(o *payment.Order) payment.Approval {
		_, _, err := b.CreateOrder(t.Context(), o)
		e, ok := errors.AsType[*payment.Error](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, payment.CodeApprovalPending, e.Code)
		return *e.Approval
	}
	ask(honest)
	disguise := "UPDATE payout_approvals b SET amount = a.amount, destination = a.destination, seal = a.seal FROM payout_approvals a WHERE a.reference = 'honest' AND b.reference = 'evil'"
	waiting := ask(evil)
	b.exec(t, disguise)
	list, err := b.WaitingPayouts(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, p := range list {
		if p.ID == waiting.ID {
			require.Equal(t, []any{payment.ApprovalAltered, int64(0), ""}, []any{p.State, p.Amount, p.Destination})
		}
	}
	require.Len(t, b.verify(t), 1)
	for _, to := range []payment.ApprovalState{payment.ApprovalReleased, payment.ApprovalRejected} {
		_, err = b.DecidePayout(t.Context(), waiting.ID, to)
		require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "%v", err)
	}
	waiting = ask(evil)
	list, err = b.WaitingPayouts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []any{int64(90_000), "card 555555******4444"}, []any{list[1].Amount, list[1].Destination}, "written down anew")
	_, err = b.DecidePayout(t.Context(), waiting.ID, payment.ApprovalReleased)
	require.NoError(t, err)
	b.exec(t, disguise)
	ask(evil)
	require.Zero(t, b.count(t, "SELECT count(*) FROM orders"))

	// A release is of what was shown, also if the same request would go elsewhere now.
	waiting = ask(honest)
	_, err = b.DecidePayout(t.Context(), waiting.ID, payment.ApprovalReleased)
	require.NoError(t, err)
	other := b.draftPayout(t, "honest", 501)
	other.Destination = "card 555555******4444"
	ask(other)
}

// A row from before the last decision has a seal that holds. The audit log knows what was decided since.
func TestADecisionThatWasTakenBackReleasesNothing(t *testing.T) {
	t.Parallel()
	for _, before := range []payment.ApprovalState{payment.ApprovalReleased, payment.ApprovalWaiting} {
		b := newFixture(t)
		b.setLimit(t, payment.Limit{Scope: payment.LimitShop, Rule: payment.LimitApproval, Kind: gateway.KindPayout, Amount: 500, Enforced: true}, "first")
		waits := b.waits(t, "fraud", payment.CodeApprovalPending)
		decide := func(to payment.ApprovalState) {
			t.Helper()
			_, err := b.DecidePayout(t.Context(), waits.ID, to)
			require.NoError(t, err)
		}
		if before == payment.ApprovalReleased {
			decide(payment.ApprovalReleased)
		}
		b.exec(t, "CREATE TABLE old AS SELECT * FROM payout_approvals")
		decide(payment.ApprovalRejected)
		require.Empty(t, b.verify(t))
		b.exec(t, "UPDATE payout_approvals a SET state = old.state, expires_at = old.expires_at, seal = old.seal FROM old")

		want := store.Finding{Table: "payout_approvals", ID: waits.ID.String(), What: "this payout that waits, or its release, was not written by payrelay"}
		require.Equal(t, []store.Finding{want}, b.verify(t), before)
		list, err := b.WaitingPayouts(t.Context())
		require.NoError(t, err)
		require.Equal(t, payment.ApprovalAltered, list[0].State)
		_, err = b.DecidePayout(t.Context(), waits.ID, payment.ApprovalReleased)
		require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "%v", err)
		require.NotEqual(t, waits.ID, b.waits(t, "fraud", payment.CodeApprovalPending).ID, "it waits anew")
		require.Zero(t, b.count(t, "SELECT count(*) FROM orders"))
	}
}
