package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// cases is the service of disputes over the fixture's store.
func (b *fixture) cases() *payment.Service {
	return b.casesAt(gateway.StatusProcessing)
}

// casesAt is cases over a provider whose refunds are as told.
func (b *fixture) casesAt(refunds gateway.Status) *payment.Service {
	fake := &gatewaytest.Fake{RefundFunc: func(context.Context, gateway.RefundRequest) (gateway.Result, error) {
		return gateway.Result{Status: refunds}, nil
	}}
	return payment.New(payment.Config{Store: b.Store, DisputeStore: b.Store, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
}

// A sum that cannot be is refused in plain words: it is a digit too many.
func TestADisputeOfMoreThanThePaymentIsRefused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid := b.paid(t, "p", 1000)
	for _, kind := range payment.DisputeKinds {
		if kind == payment.DisputeLateSuccess || kind == payment.DisputeUnauthorizedCharge {
			continue
		}
		for _, minor := range []int64{1001, math.MaxInt64} {
			_, err := b.cases().OpenDispute(t.Context(), payment.NewDispute{Payment: paid.Key(), Kind: kind, Minor: minor, Reason: "a letter", Operator: "ann"})
			require.Equal(t, payment.CodeInvalid, payment.CodeOf(err), kind)
			require.ErrorContains(t, err, "a digit too many")
		}
		_, err := b.cases().OpenDispute(t.Context(), payment.NewDispute{Payment: paid.Key(), Kind: kind, Minor: 1000, Reason: "a letter", Operator: "ann", Another: true})
		require.NoError(t, err, kind)
	}
	require.Empty(t, b.verify(t))
}

// What a bank writes, the provider may have told already: one sum is one dispute, unless the operator says that it is another.
func TestADisputeOfASumThatIsOpenIsRefused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid := b.paid(t, "p", 1000)
	open := func(kind payment.DisputeKind, minor int64, another bool) error {
		_, err := b.cases().OpenDispute(t.Context(), payment.NewDispute{Payment: paid.Key(), Kind: kind, Minor: minor, Reason: "a letter", Another: another})
		return err
	}
	require.NoError(t, open(payment.DisputeExternalRefund, 400, false))
	err := open(payment.DisputeChargeback, 400, false)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err))
	require.ErrorContains(t, err, "open about the same sum: external_refund")
	require.NoError(t, open(payment.DisputeChargeback, 300, false), "another sum")
	require.NoError(t, open(payment.DisputeInquiry, 400, false), "it moves no money")
	require.NoError(t, open(payment.DisputeChargeback, 400, true))
	past := b.clock.Now().Add(-time.Hour)
	_, err = b.cases().OpenDispute(t.Context(), payment.NewDispute{Payment: paid.Key(), Kind: payment.DisputeInquiry, Minor: 1, DueAt: &past, Reason: "a letter"})
	require.ErrorContains(t, err, "is past")
	require.Equal(t, 4, b.count(t, "SELECT count(*) FROM disputes"))
}

// A case is of one dispute of a payment, also if two operators write it down at once.
func TestACaseIsOfOneDispute(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid, other := b.paid(t, "p", 1000), b.paid(t, "other", 1000)
	open := func(of *payment.Order, number string) (payment.Dispute, error) {
		return b.cases().OpenDispute(t.Context(), payment.NewDispute{
			Payment: of.Key(), Kind: payment.DisputeChargeback, Minor: 100, ProviderCase: number, Reason: "a letter", Operator: "ann", Another: true,
		})
	}
	errs := race(4, func(int) error {
		_, err := open(paid, "CB-1")
		return err
	})
	page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	first, refused := page.Items[0], 0
	for _, err := range errs {
		if err != nil {
			require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err))
			require.ErrorContains(t, err, first.ID.String())
			refused++
		}
	}
	require.Equal(t, 3, refused)
	_, err = open(other, "CB-1")
	require.NoError(t, err, "of another payment")
	second, err := open(paid, "")
	require.NoError(t, err)
	_, err = open(paid, "")
	require.NoError(t, err, "without a case nothing tells them apart")
	number, closed := "CB-1", payment.DisputeClosed
	_, err = b.cases().ChangeDispute(t.Context(), b.shop.ID, second.ID, payment.DisputeChange{ProviderCase: &number, Reason: "a letter", Operator: "ann"})
	require.ErrorContains(t, err, first.ID.String())
	_, err = b.cases().ChangeDispute(t.Context(), b.shop.ID, first.ID, payment.DisputeChange{Status: &closed, Reason: "a mistake", Operator: "ann"})
	require.NoError(t, err)
	_, err = b.cases().ChangeDispute(t.Context(), b.shop.ID, second.ID, payment.DisputeChange{ProviderCase: &number, Reason: "a letter", Operator: "ann"})
	require.NoError(t, err)
	require.Empty(t, b.verify(t))
}

func (b *fixture) chargeback(t *testing.T, of payment.Key, minor int64) payment.Dispute {
	t.Helper()
	d, err := b.cases().OpenDispute(t.Context(), payment.NewDispute{Payment: of, Kind: payment.DisputeChargeback, Minor: minor, Reason: "a letter", Operator: "ann"})
	require.NoError(t, err)
	return d
}

func TestStepsOfDisputesAreThoseOfTheTable(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	rows, err := b.pool.Query(t.Context(), "SELECT from_status, to_status FROM legal_dispute_steps")
	require.NoError(t, err)
	stored, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (pair [2]payment.DisputeStatus, err error) {
		return pair, row.Scan(&pair[0], &pair[1])
	})
	require.NoError(t, err)
	require.ElementsMatch(t, payment.DisputeSteps(), stored)
}

func TestADisputeLives(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid := b.paid(t, "p", 1000)
	d := b.chargeback(t, paid.Key(), 400)
	o, err := b.Order(t.Context(), paid.Key())
	require.NoError(t, err)
	require.Equal(t, []any{payment.StatusSucceeded, int64(400), int64(0), 1, paid.Sequence + 1}, []any{o.Status, o.Disputed, o.Overdrawn, o.DisputesOpen, o.Sequence})
	read, err := b.Dispute(t.Context(), b.shop.ID, d.ID)
	require.NoError(t, err)
	require.Equal(t, d, read)
	_, err = b.Dispute(t.Context(), uuid.New(), d.ID)
	require.ErrorIs(t, err, payment.ErrNoDispute, "another shop's does not exist")

	b.clock.Add(time.Hour)
	due, word, review := b.clock.Now().Add(time.Hour), "CB-1", payment.DisputeUnderReview
	set, err := b.cases().ChangeDispute(t.Context(), b.shop.ID, d.ID, payment.DisputeChange{Status: &review, DueAt: &due, ProviderCase: &word, Reason: "handed in"})
	require.NoError(t, err)
	require.Equal(t, []any{payment.DisputeUnderReview, 2, &due, "CB-1"}, []any{set.Status, set.Sequence, set.DueAt, set.ProviderCase})
	open := payment.DisputeOpen
	_, err = b.cases().ChangeDispute(t.Context(), b.shop.ID, d.ID, payment.DisputeChange{Status: &open, Reason: "back"})
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "no step leads back")

	won := payment.DisputeWon
	end, err := b.cases().ChangeDispute(t.Context(), b.shop.ID, d.ID, payment.DisputeChange{Status: &won, Reason: "a letter"})
	require.NoError(t, err)
	read, err = b.Dispute(t.Context(), b.shop.ID, d.ID)
	require.NoError(t, err)
	require.Equal(t, end, read)
	o, err = b.Order(t.Context(), paid.Key())
	require.NoError(t, err)
	require.Equal(t, []any{int64(0), 0, paid.Sequence + 3}, []any{o.Disputed, o.DisputesOpen, o.Sequence})
	require.Equal(t, 4, b.count(t, "SELECT count(*) FROM notifications WHERE order_id = $1", paid.ID), "each step is told of")
	require.Empty(t, b.verify(t))

	_, err = b.cases().ResolveDispute(t.Context(), b.shop.ID, d.ID, payment.AcceptDispute)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "an end is final")
	_, err = b.pool.Exec(t.Context(), "UPDATE dispute_steps SET to_status = 'lost'")
	require.ErrorContains(t, err, "keeps its rows")
	_, err = b.pool.Exec(t.Context(), "INSERT INTO dispute_steps (shop_id, dispute_id, sequence, order_id, order_sequence, from_status, to_status) VALUES ($1, $2, 4, $3, 1, 'won', 'lost')", b.shop.ID, d.ID, paid.ID)
	require.ErrorContains(t, err, "dispute_steps_legal")
}

// Two people change a dispute at once: the second is told that it has changed.
func TestADisputeThatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	d := b.chargeback(t, b.paid(t, "p", 1000).Key(), 400)
	won, lost := payment.DisputeWon, payment.DisputeLost
	errs := race(8, func(i int) error {
		to := &won
		if i%2 == 0 {
			to = &lost
		}
		_, err := b.cases().ChangeDispute(t.Context(), b.shop.ID, d.ID, payment.DisputeChange{Status: to, Reason: "a letter"})
		return err
	})
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
			continue
		}
		require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), "%v", err)
	}
	require.Equal(t, 1, done)
	require.Empty(t, b.verify(t))
}

// A thousand refunds of several payments at once against chargebacks: never above what is left, whoever comes first.
func TestRefundsAgainstChargebacks(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	const payments, refunds, each, chargebacks, charged = 10, 100, 1500, 3, 15_000 // each refund reads all others of its payment
	paid := make([]*payment.Order, payments)
	drafts := make([][]*payment.Order, payments)
	for p := range paid {
		paid[p] = b.paid(t, "p-"+strconv.Itoa(p), 100_000)
		for i := range refunds {
			draft := b.draftRefund(t, paid[p], fmt.Sprintf("r-%d-%d", p, i), each)
			draft.SettlesDisputes = chargebacks // as if an operator allowed refunds: only the sum binds
			drafts[p] = append(drafts[p], draft)
		}
	}
	anyNumber := func(payment.OtherRefunds) error { return nil }
	const ofOne = refunds + chargebacks
	isChargeback := func(i int) bool { return i%ofOne%(ofOne/chargebacks) == 0 && i%ofOne/(ofOne/chargebacks) < chargebacks }
	next := make([]atomic.Int32, payments)
	errs := race(payments*ofOne, func(i int) error {
		p := i / ofOne
		act := func() error {
			_, err := b.cases().OpenDispute(t.Context(), payment.NewDispute{Payment: paid[p].Key(), Kind: payment.DisputeChargeback, Minor: charged, Reason: "a letter", Another: true})
			return err
		}
		if !isChargeback(i) {
			draft := drafts[p][next[p].Add(1)-1]
			act = func() error {
				_, _, err := b.CreateRefund(t.Context(), draft, anyNumber)
				return err
			}
		}
		for { // whoever finds no place among so many asks again
			if err := act(); !errors.Is(err, payment.ErrNothingSent) {
				return err
			}
		}
	})
	for i, err := range errs {
		if isChargeback(i) {
			require.NoError(t, err, "what a bank did is always written down")
		}
	}
	for _, o := range paid {
		var captured, reserved, disputed, overdrawn, sum int64
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT amount_captured, amount_reserved, amount_disputed, amount_overdrawn,
			(SELECT coalesce(sum(amount), 0) FROM orders r WHERE r.parent_id = $1 AND r.status <> 'failed')::bigint FROM orders WHERE id = $1`, o.ID).Scan(&captured, &reserved, &disputed, &overdrawn, &sum))
		require.Equal(t, reserved, sum)
		require.LessOrEqual(t, reserved+disputed, captured)
		require.EqualValues(t, chargebacks*charged, disputed+overdrawn, "the disputes are whole")
		require.NotZero(t, reserved)
		d, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID, Order: &o.ID})
		require.NoError(t, err)
		require.Len(t, d.Items, chargebacks)
		var more int64
		for _, c := range d.Items {
			more += c.Overdrawn
		}
		require.Equal(t, overdrawn, more)
	}
	require.Empty(t, b.verify(t))
}

func TestARefundUnderAnOpenDispute(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid := b.paid(t, "p", 1000)
	before := b.draftRefund(t, paid, "before", 100)
	d := b.chargeback(t, paid.Key(), 400)
	_, _, err := b.createRefund(t.Context(), before)
	require.Equal(t, payment.CodePaymentDisputed, payment.CodeOf(err), "the dispute came between the check and the write")
	refund := func(reference string, minor int64) error {
		_, _, err := b.cases().Refund(t.Context(), payment.NewRefund{Shop: b.shop.ID, Payment: paid.ID, Reference: reference, Minor: minor, RequestHash: []byte(reference)})
		return err
	}
	require.Equal(t, payment.CodePaymentDisputed, payment.CodeOf(refund("r-1", 100)))

	allowed := true
	_, err = b.cases().ChangeDispute(t.Context(), b.shop.ID, d.ID, payment.DisputeChange{RefundsAllowed: &allowed, Reason: "agreed"})
	require.NoError(t, err)
	require.Equal(t, payment.CodeRefundTooLarge, payment.CodeOf(refund("r-2", 601)))
	require.NoError(t, refund("r-3", 100), "an operator let it through")
	_, err = b.cases().ResolveDispute(t.Context(), b.shop.ID, d.ID, payment.AcceptDispute)
	require.NoError(t, err)
	require.Equal(t, payment.CodeRefundTooLarge, payment.CodeOf(refund("r-4", 601)), "accepted money stays away")
}

// Rows of disputes that were taken away are found, and one that was changed is used for nothing.
func TestATamperedDisputeIsFound(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID})
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	d := page.Items[0]
	b.tamper(t, "CREATE TABLE kept AS SELECT * FROM disputes")
	b.tamper(t, "DELETE FROM disputes")
	require.NotEmpty(t, b.verify(t))
	b.tamper(t, "INSERT INTO disputes SELECT * FROM kept")
	require.Empty(t, b.verify(t))

	b.tamper(t, "UPDATE disputes SET status = 'closed', closed_at = now()")
	_, err = b.Dispute(t.Context(), b.shop.ID, d.ID)
	require.ErrorIs(t, err, payment.ErrFrozen)
	page, err = b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID})
	require.NoError(t, err)
	require.Empty(t, page.Items)

	b.tamper(t, "DELETE FROM dispute_steps", "DELETE FROM disputes")
	require.NotEmpty(t, b.verify(t), "the payment's sums name it")
}

// A payout that the provider carries out after all is an order of its own, in the sums, and its shop is notified.
func TestAPayoutIsCarriedOutAfterAll(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	draft := b.draft(t, "out", 1000)
	draft.Kind = gateway.KindPayout
	made, _, err := b.CreateOrder(t.Context(), draft)
	require.NoError(t, err)
	old := b.report(t, made.Key(), payment.StatusFailed)
	_, err = b.UpdateOrder(t.Context(), old.Key(), func(o *payment.Order) error {
		r := b.newReport(payment.StatusSucceeded)
		require.Equal(t, payment.Apply, o.Record(r))
		return nil
	})
	require.NoError(t, err)
	stored, err := b.Order(t.Context(), old.Key())
	require.NoError(t, err)
	require.Equal(t, []any{payment.StatusFailed, 0}, []any{stored.Status, stored.Conflicts})
	late, err := b.OrderByReference(t.Context(), b.shop.ID, gateway.KindPayout, "out~late")
	require.NoError(t, err)
	require.Equal(t, stored.SupersededBy, &late.ID)
	require.Equal(t, []any{payment.StatusSucceeded, int64(1000), 0, &old.ID}, []any{late.Status, late.Captured, late.DisputesOpen, late.ParentID})
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM notifications WHERE order_id = $1 AND sequence = $2", old.ID, stored.Sequence))
	require.Empty(t, b.verify(t))
}

// The customer pays after the payment had ended: a new order carries the money, later callbacks go there, and the shop gives it back.
func TestALateSuccessIsAnOrderOfItsOwn(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	old := b.report(t, b.create(t, "p", 1000).Key(), payment.StatusFailed)
	callback := func(body string) (on *payment.Order, verdict payment.Verdict) {
		cb := b.callback(body, old.ProviderOrderID)
		verdict, _, err := b.applyCallback(t.Context(), cb, func(o *payment.Order) (payment.Verdict, string) {
			r := b.newReport(payment.StatusSucceeded)
			r.Source, r.BankReferences = payment.SourceCallback, []string{"111"}
			on = o
			return o.Record(r), ""
		})
		require.NoError(t, err)
		return on, verdict
	}
	on, verdict := callback("paid after all")
	require.Equal(t, []any{old.ID, payment.Apply}, []any{on.ID, verdict})
	stored, err := b.Order(t.Context(), old.Key())
	require.NoError(t, err)
	require.Equal(t, []any{payment.StatusFailed, 0, old.Sequence + 1}, []any{stored.Status, stored.Conflicts, stored.Sequence})
	late, err := b.OrderByReference(t.Context(), b.shop.ID, gateway.KindPayment, "p~late")
	require.NoError(t, err)
	require.Equal(t, stored.SupersededBy, &late.ID)
	require.Equal(t, []any{payment.StatusSucceeded, int64(1000), 1, &old.ID, old.ProviderOrderID, "socks"},
		[]any{late.Status, late.Captured, late.DisputesOpen, late.ParentID, late.ProviderOrderID, late.Description})
	require.JSONEq(t, string(old.Details), string(late.Details))
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM notifications WHERE order_id = $1", late.ID), "payment.succeeded and dispute.opened")
	require.Empty(t, b.verify(t))

	on, verdict = callback("told again in other words")
	require.Equal(t, []any{late.ID, payment.Repeat}, []any{on.ID, verdict}, "the order with the money hears of it")

	page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID, Order: &late.ID})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	d, err := b.cases().ResolveDispute(t.Context(), b.shop.ID, page.Items[0].ID, payment.RefundDispute)
	require.NoError(t, err)
	require.Equal(t, payment.DisputeClosed, d.Status)
	late, err = b.Order(t.Context(), late.Key())
	require.NoError(t, err)
	refunded, err := b.OrderByReference(t.Context(), b.shop.ID, gateway.KindRefund, "dispute-"+d.ID.String()+"-1")
	require.NoError(t, err)
	require.Equal(t, []any{&late.ID, int64(1000)}, []any{refunded.ParentID, refunded.Amount.Minor()}, "an ordinary refund")
	require.Empty(t, b.verify(t))
}

// A refund that fails at once gives nothing back: the shop decides again.
func TestALateSuccessWhoseRefundFails(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	old := b.report(t, b.report(t, b.create(t, "p", 1000).Key(), payment.StatusFailed).Key(), payment.StatusSucceeded)
	page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID})
	require.NoError(t, err)
	id := page.Items[0].ID
	_, err = b.casesAt(gateway.StatusFailed).ResolveDispute(t.Context(), b.shop.ID, id, payment.RefundDispute)
	require.Equal(t, payment.CodeProviderFailed, payment.CodeOf(err), "%v", err)
	d, err := b.Dispute(t.Context(), b.shop.ID, id)
	require.NoError(t, err)
	require.Equal(t, []any{payment.DisputeOpen, 3}, []any{d.Status, d.Sequence})
	d, err = b.casesAt(gateway.StatusSucceeded).ResolveDispute(t.Context(), b.shop.ID, id, payment.RefundDispute)
	require.NoError(t, err)
	require.Equal(t, payment.DisputeClosed, d.Status)
	late, err := b.Order(t.Context(), payment.Key{Shop: b.shop.ID, Order: *old.SupersededBy})
	require.NoError(t, err)
	require.Equal(t, []int64{1000, 1000}, []int64{late.Refunded, late.RefundReserved})
	require.Empty(t, b.verify(t))
}

// Late money is written down also while its account begins nothing new.
func TestALateSuccessAtADrainedAccount(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	old := b.report(t, b.create(t, "p", 1000).Key(), payment.StatusFailed)
	b.exec(t, "UPDATE accounts SET mode = 'drain'")
	o := b.report(t, old.Key(), payment.StatusSucceeded)
	require.NotNil(t, o.SupersededBy)
}

// An order goes with the one that carries its money, and with that one's refunds.
func TestAnErasureTakesTheOrderOfLateMoneyAlong(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	old := b.report(t, b.report(t, b.create(t, "p", 1000).Key(), payment.StatusFailed).Key(), payment.StatusSucceeded)
	page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID})
	require.NoError(t, err)
	_, err = b.erase(t.Context(), store.Erasure{Order: old.Key(), Force: true})
	require.ErrorContains(t, err, "open dispute")
	_, err = b.cases().ResolveDispute(t.Context(), b.shop.ID, page.Items[0].ID, payment.RefundDispute)
	require.NoError(t, err)
	b.report(t, payment.Key{Shop: b.shop.ID, Order: b.onlyRefund(t, *old.SupersededBy)}, payment.StatusSucceeded)
	b.allDelivered(t)
	receipt, err := b.erase(t.Context(), store.Erasure{Order: old.Key(), Force: true})
	require.NoError(t, err)
	require.Len(t, receipt.Orders, 3)
	require.Zero(t, b.count(t, "SELECT count(*) FROM orders WHERE data_key IS NOT NULL"))
}

func (b *fixture) onlyRefund(t *testing.T, of uuid.UUID) (id uuid.UUID) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT id FROM orders WHERE parent_id = $1 AND kind = 'refund'", of).Scan(&id))
	return id
}
