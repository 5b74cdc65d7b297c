package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

const rested = 540 * day

// mark stands in every text about an order, with the name of its place.
func mark(place string) string { return "mark-" + place }

// described stores a paid order with a refund, and the mark in every text about them. Nothing waits to be delivered.
func (b *fixture) described(t *testing.T, reference string) (order, refund *payment.Order) {
	t.Helper()
	draft := b.draft(t, reference, 1000)
	draft.Description, draft.Metadata = mark("description"), map[string]string{"customer_id": mark("customer"), "note": mark("metadata")}
	draft.Details = []byte(`{"customer":{"email":"Ann@mark.example","last_name":"` + mark("details") + `"}}`)
	order, _, err := b.CreateOrder(t.Context(), draft)
	require.NoError(t, err)
	_, err = b.UpdateOrder(t.Context(), order.Key(), func(o *payment.Order) error {
		r := b.newReport(payment.StatusRequiresAction)
		r.ProviderData = gateway.ProviderData{"holder": mark("transition")}
		o.Record(r)
		o.ProviderState = map[string]gateway.Secret{"token": gateway.Secret(mark("state"))}
		o.PaymentMethod = &gateway.MaskedMethod{Type: "card", Masked: mark("method")}
		o.AddCall(payment.Call{Operation: "create_payment", Outcome: "requires_action", StartedAt: b.clock.Now(), ProviderData: gateway.ProviderData{"holder": mark("call")}})
		return nil
	})
	require.NoError(t, err)
	cb := b.callback("of "+reference, order.ProviderOrderID)
	cb.ProviderData = gateway.ProviderData{"holder": mark("callback")}
	_, _, err = b.applyCallback(t.Context(), cb, func(o *payment.Order) (payment.Verdict, string) {
		r := b.newReport(payment.StatusSucceeded)
		r.Source = payment.SourceCallback
		return o.Record(r), ""
	})
	require.NoError(t, err)
	_, err = b.UpdateOrder(t.Context(), order.Key(), func(o *payment.Order) error {
		r := b.newReport(payment.StatusFailed)
		r.ProviderData = gateway.ProviderData{"holder": mark("conflict")}
		o.Record(r)
		return nil
	})
	require.NoError(t, err)
	_, settled, err := payment.New(payment.Config{Store: b.Store, Now: b.clock.Now}).Resolve(t.Context(), order.Key(), payment.Resolution{Status: payment.StatusSucceeded, Reason: mark("reason"), Operator: "ann"})
	require.NoError(t, err)
	require.Equal(t, 1, settled)

	draft = b.draftRefund(t, order, reference+"-refund", 400)
	draft.Description = mark("refund")
	refund, _, err = b.createRefund(t.Context(), draft)
	require.NoError(t, err)
	_, err = b.UpdateOrder(t.Context(), refund.Key(), func(o *payment.Order) error {
		r := b.newReport(payment.StatusFailed)
		r.Failure = &gateway.Failure{Code: "14", Message: mark("failure")}
		o.Record(r)
		return nil
	})
	require.NoError(t, err)
	st := b.transactionReport(t)
	require.NoError(t, b.SaveTransactionReportRows(t.Context(), st, []payment.TransactionReportRow{{Order: order.ID, Fields: map[string]string{"holder": mark("row")}}}))
	b.answer(t, "names it", `{"id":"`+order.ID.String()+`","note":"`+mark("answer")+`"}`)
	b.allDelivered(t)
	return order, refund
}

// answer keeps an answer under an Idempotency-Key.
func (b *fixture) answer(t *testing.T, key, body string) {
	t.Helper()
	claim, _, err := b.Idempotency().Begin(t.Context(), b.shop.ID, key, []byte("hash"), time.Minute)
	require.NoError(t, err)
	_, err = b.Idempotency().Finish(t.Context(), claim, idempotency.Response{Status: 201, Body: []byte(body)})
	require.NoError(t, err)
}

// marks counts the marks in everything that the database holds: as it rests, and opened with every key there is.
func (b *fixture) marks(t *testing.T) (resting, opened int) {
	t.Helper()
	require.NoError(t, b.Texts(t.Context(), func(_, _, text string) error {
		opened += strings.Count(text, "mark-")
		return nil
	}))
	var tables []string
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT array_agg(oid::regclass::text) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`).Scan(&tables))
	for _, table := range tables {
		var dump string
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT coalesce(string_agg(t::text, ' '), '') FROM "+table+" t").Scan(&dump))
		resting += strings.Count(dump, "mark-") + strings.Count(dump, hex.EncodeToString([]byte("mark-")))
	}
	return resting, opened
}

// erase erases as an operator does.
func (b *fixture) erase(ctx context.Context, e store.Erasure) (*store.Receipt, error) {
	o := b.Options
	o.Operator = &store.Operator{User: "ann", Reason: "asked for"}
	e.Command = "erase order"
	return store.New(b.pool, o).Erase(ctx, e)
}

func TestErasureLeavesSumsAndHistoryOnly(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	order, refund := b.described(t, "erased")
	b.answer(t, "of another", `{"id":"00000000-0000-4000-8000-000000000001"}`)
	before, err := b.Order(t.Context(), order.Key())
	require.NoError(t, err)
	require.False(t, before.Erased)
	history, err := b.History(t.Context(), order.Key())
	require.NoError(t, err)
	feed := b.feedOf(t)
	var wrapped []byte
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT data_key FROM orders WHERE id = $1", order.ID).Scan(&wrapped))
	_, opened := b.marks(t)
	require.Greater(t, opened, 12, "the search opens what is encrypted")

	b.clock.Add(rested)
	receipt, err := b.erase(t.Context(), store.Erasure{Order: order.Key(), Rested: rested})
	require.NoError(t, err)
	resting, opened := b.marks(t)
	require.Zero(t, resting+opened, "neither the database nor its keys give a text back")
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM idempotency_keys"), "an answer that names another order stays")

	after, err := b.Order(t.Context(), order.Key())
	require.NoError(t, err)
	require.True(t, after.Erased)
	require.Equal(t, []any{before.Status, before.Sequence, before.Captured, before.Refunded, before.Amount, before.Reference, before.UpdatedAt}, []any{after.Status, after.Sequence, after.Captured, after.Refunded, after.Amount, after.Reference, after.UpdatedAt})
	require.Nil(t, after.Details)
	failed, err := b.Order(t.Context(), refund.Key())
	require.NoError(t, err)
	require.True(t, failed.Erased, "refunds go with their payment")
	require.Equal(t, "14", failed.Failure.Code)
	left, err := b.History(t.Context(), order.Key())
	require.NoError(t, err)
	require.Len(t, left, len(history))
	for i := range left {
		require.Equal(t, history[i].To, left[i].To)
		require.Nil(t, left[i].ProviderData)
	}
	b.readsAll(t, order.Key())
	require.Empty(t, b.verify(t), "what verifies the history finds it whole")
	rendered := b.feedOf(t)
	require.Len(t, rendered, len(feed))
	require.Nil(t, rendered[0].Payload)
	require.True(t, rendered[0].Order.Erased)

	require.Equal(t, b.shop.Name, receipt.Shop)
	require.Len(t, receipt.Orders, 2)
	require.Equal(t, refund.ID, receipt.Orders[1].ID)
	first := receipt.Orders[0]
	require.Equal(t, []any{order.ID, "succeeded", int64(1000), "EUR"}, []any{first.ID, first.Status, first.Captured, first.Currency})
	sum := sha256.Sum256(wrapped)
	require.Equal(t, hex.EncodeToString(sum[:]), first.KeyDigest)
	sum = sha256.Sum256(feed[0].Payload)
	require.Equal(t, hex.EncodeToString(sum[:]), first.Payloads[0].SHA256, "it proves what the shop was sent")
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM audit_log WHERE action = 'erase order' AND object_id = $1 AND reason = 'asked for' AND after ->> 'id' = $2", order.ID.String(), receipt.ID.String()))
	_, err = b.erase(t.Context(), store.Erasure{Order: order.Key()})
	require.ErrorIs(t, err, store.ErrErased)
}

// readsAll reads everything about an order.
func (b *fixture) readsAll(t *testing.T, key payment.Key) {
	t.Helper()
	_, err := b.Calls(t.Context(), key)
	require.NoError(t, err)
	_, err = b.CallbacksOf(t.Context(), key)
	require.NoError(t, err)
	_, err = b.Conflicts(t.Context(), key)
	require.NoError(t, err)
	_, err = b.Notified(t.Context(), key)
	require.NoError(t, err)
	list, err := b.LatestTransactionReports(t.Context(), 1)
	require.NoError(t, err)
	page, err := b.TransactionReportRows(t.Context(), key.Shop, list[0].ID, "", 10)
	require.NoError(t, err)
	require.Equal(t, map[string]string{}, page.Items[0].Fields)
}

// What comes later about an erased order changes its status and sums, and leaves no text.
func TestNothingIsKeptOfWhatComesAfterAnErasure(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	order, _ := b.described(t, "erased")
	b.clock.Add(rested)
	_, err := b.erase(t.Context(), store.Erasure{Order: order.Key(), Rested: rested})
	require.NoError(t, err)
	cb := b.callback("late", order.ProviderOrderID)
	cb.ProviderData = gateway.ProviderData{"holder": mark("late")}
	_, _, err = b.applyCallback(t.Context(), cb, func(o *payment.Order) (payment.Verdict, string) {
		return o.Record(b.newReport(payment.StatusFailed)), ""
	})
	require.NoError(t, err)
	after, err := b.Order(t.Context(), order.Key())
	require.NoError(t, err)
	require.Equal(t, 1, after.Conflicts)
	_, opened := b.marks(t)
	require.Zero(t, opened)
}

// What was changed past payrelay is evidence.
func TestFrozenOrderIsNotErased(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	order, refund := b.described(t, "frozen")
	b.exec(t, "UPDATE orders SET provider_reference = 'another' WHERE id = $1", refund.ID)
	_, err := b.erase(t.Context(), store.Erasure{Order: order.Key(), Force: true})
	require.ErrorIs(t, err, payment.ErrFrozen)
	require.Zero(t, b.count(t, "SELECT count(*) FROM orders WHERE data_key IS NULL"))
}

func TestErasureIsRefused(t *testing.T) {
	t.Parallel()
	change := func(set string) func(*testing.T, *fixture, *payment.Order) {
		return func(t *testing.T, b *fixture, o *payment.Order) {
			t.Helper()
			b.exec(t, "UPDATE orders SET "+set+" WHERE id = $1", o.ID)
		}
	}
	for name, c := range map[string]struct {
		before func(t *testing.T, b *fixture, o *payment.Order)
		force  bool
		reason string
	}{
		"too young": {func(t *testing.T, b *fixture, _ *payment.Order) { t.Helper(); b.clock.Add(-time.Second) }, false, "with --force if the law demands it"},
		"in conflict": {func(t *testing.T, b *fixture, o *payment.Order) {
			t.Helper()
			_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error { o.Record(b.newReport(payment.StatusFailed)); return nil })
			require.NoError(t, err)
		}, true, "is in conflict"},
		"to be polled": {change("next_poll_at = now()"), true, "waits for the provider's answer"},
		"under a hold": {func(t *testing.T, b *fixture, o *payment.Order) {
			t.Helper()
			require.NoError(t, b.AddHold(t.Context(), o.Key(), "dispute 7"))
		}, true, "dispute 7"},
		"disputed": {func(t *testing.T, b *fixture, o *payment.Order) {
			t.Helper()
			b.chargeback(t, o.Key(), 100)
			b.allDelivered(t)
		}, true, "has the open dispute"},
		"to be delivered": {func(t *testing.T, b *fixture, o *payment.Order) { t.Helper(); b.undelivered(t, o, "pending") }, true, "is pending"},
		"not deliverable": {func(t *testing.T, b *fixture, o *payment.Order) { t.Helper(); b.undelivered(t, o, "dead_lettered") }, false, "with --force"},
		"a refund is open": {func(t *testing.T, b *fixture, o *payment.Order) {
			t.Helper()
			_, _, err := b.createRefund(t.Context(), b.draftRefund(t, o, "open", 100))
			require.NoError(t, err)
		}, true, "money may still move"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			order, _ := b.described(t, "kept")
			b.clock.Add(rested)
			c.before(t, b, order)
			_, err := b.erase(t.Context(), store.Erasure{Order: order.Key(), Rested: rested, Force: c.force})
			require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err), err)
			require.ErrorContains(t, err, "Nothing was erased")
			require.ErrorContains(t, err, c.reason)
			after, err := b.Order(t.Context(), order.Key())
			require.NoError(t, err)
			require.False(t, after.Erased)
			require.Equal(t, mark("description"), after.Description)
			require.Zero(t, b.count(t, "SELECT count(*) FROM audit_log WHERE action = 'erase order'"))
			require.Zero(t, b.count(t, "SELECT count(*) FROM notifications WHERE payload IS NULL"))
		})
	}
}

// undelivered puts the order's last notification back among those that are to be delivered.
func (b *fixture) undelivered(t *testing.T, o *payment.Order, state string) {
	t.Helper()
	b.exec(t, `INSERT INTO deliveries (shop_id, order_id, sequence, state, url, next_attempt_at, created_at)
		SELECT shop_id, order_id, sequence, $2, 'https://shop.example', created_at, created_at FROM notifications WHERE order_id = $1 ORDER BY sequence DESC LIMIT 1`, o.ID, state)
}

func TestLegalDemandErasesAtOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	order, _ := b.described(t, "erased")
	b.undelivered(t, order, "dead_lettered")
	b.exec(t, `INSERT INTO payout_approvals (shop_id, id, reference, request_hash, account_name, amount, currency, destination, state, requested_at, expires_at, order_id)
		VALUES ($1, gen_random_uuid(), 'payout', '', 'EUR-1', 1, 'EUR', 'mark-destination', 'used', now(), now(), $2)`, order.ShopID, order.ID)
	b.exec(t, "INSERT INTO order_fingerprints (shop_id, fingerprint, order_id, at) VALUES ($1, sha256('mark'), $2, now())", order.ShopID, order.ID)
	receipt, err := b.erase(t.Context(), store.Erasure{Order: order.Key(), Rested: rested, Force: true})
	require.NoError(t, err)
	require.True(t, receipt.Forced)
	resting, opened := b.marks(t)
	require.Zero(t, resting+opened)
	require.Zero(t, b.count(t, "SELECT count(*) FROM deliveries"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM order_fingerprints"))
}

// A hold that somebody takes away in the database is still one, and the verification names it.
func TestHoldCannotBeTakenAwayInTheDatabase(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	order, _ := b.described(t, "held")
	require.NoError(t, b.AddHold(t.Context(), order.Key(), "dispute 7"))
	require.Empty(t, b.altered(t))
	b.byHand(t, "UPDATE order_holds SET reason = 'settled'")
	require.Contains(t, b.altered(t)[0], "order_holds")
	b.byHand(t, "DELETE FROM order_holds")
	require.Contains(t, b.altered(t)[0], "order_holds: the row is missing")
	_, err := b.erase(t.Context(), store.Erasure{Order: order.Key(), Force: true})
	require.ErrorContains(t, err, "was taken away past payrelay")

	require.NoError(t, b.AddHold(t.Context(), order.Key(), "dispute 7"))
	require.NoError(t, b.RemoveHold(t.Context(), order.Key()))
	require.Empty(t, b.altered(t))
	_, err = b.erase(t.Context(), store.Erasure{Order: order.Key(), Force: true})
	require.NoError(t, err)
}

func TestHoldKeepsRowsFromRetention(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	held, other := b.lived(t, "held", true), b.lived(t, "other", true)
	b.allDelivered(t)
	require.NoError(t, b.AddHold(t.Context(), held.Key(), "dispute 7"))
	require.ErrorContains(t, b.AddHold(t.Context(), held.Key(), "dispute 8"), "already")
	list, err := b.Holds(t.Context())
	require.NoError(t, err)
	require.Equal(t, []store.Hold{{Shop: b.shop.Name, Order: held.ID, Reason: "dispute 7", At: b.clock.Now()}}, list)
	b.clock.Add(500 * day)
	b.remove(t)
	rows := func(o *payment.Order) string {
		t.Helper()
		return fmt.Sprint(
			b.count(t, "SELECT count(*) FROM provider_calls WHERE order_id = $1", o.ID), b.count(t, "SELECT count(*) FROM callbacks WHERE order_id = $1", o.ID),
			b.count(t, "SELECT count(*) FROM notifications WHERE order_id = $1 AND payload IS NOT NULL", o.ID))
	}
	require.Equal(t, "1 1 2", rows(held))
	require.Equal(t, "0 0 0", rows(other))
	require.NoError(t, b.RemoveHold(t.Context(), held.Key()))
	require.ErrorContains(t, b.RemoveHold(t.Context(), held.Key()), "no hold")
	b.remove(t)
	require.Equal(t, "0 0 0", rows(held))
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM audit_log WHERE action LIKE 'hold %' AND object_id = $1", held.ID.String()))
}

// A hold that somebody takes away in the database keeps retention away, too.
func TestAHoldThatWasTakenAwayKeepsRowsFromRetention(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	held, other := b.lived(t, "held", true), b.lived(t, "other", true)
	b.exec(t, "DELETE FROM deliveries")
	require.NoError(t, b.AddHold(t.Context(), held.Key(), "dispute 7"))
	b.byHand(t, "DELETE FROM order_holds")
	b.clock.Add(500 * day)
	expired, err := b.Expired(t.Context(), keepFor)
	require.NoError(t, err)
	counted, _ := removed(expired)
	rows, _ := b.remove(t)
	require.Equal(t, map[string]int64{"notifications": 2, "provider_calls": 1, "callbacks": 1, "callback_keys": 1}, rows)
	require.Equal(t, map[string]int64{"notifications": 2, "provider_calls": 1, "callbacks": 1}, counted)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM provider_calls WHERE order_id = $1", held.ID))
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM notifications WHERE order_id = $1 AND payload IS NOT NULL", held.ID))
	require.Zero(t, b.count(t, "SELECT count(*) FROM provider_calls WHERE order_id = $1", other.ID))
}

func TestOrdersOfACustomer(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	order, _ := b.described(t, "one")
	b.create(t, "other", 1000)
	for _, name := range []string{mark("customer"), "ann@MARK.example"} {
		keys, err := b.OrdersOfCustomer(t.Context(), b.shop.ID, name)
		require.NoError(t, err)
		require.Equal(t, []payment.Key{order.Key()}, keys, name)
	}
	for _, name := range []string{"", mark("details"), "mark.example", "other@mark.example"} {
		keys, err := b.OrdersOfCustomer(t.Context(), b.shop.ID, name)
		require.NoError(t, err)
		require.Empty(t, keys, name)
	}
	_, err := b.erase(t.Context(), store.Erasure{Order: order.Key(), Force: true})
	require.NoError(t, err)
	keys, err := b.OrdersOfCustomer(t.Context(), b.shop.ID, mark("customer"))
	require.NoError(t, err)
	require.Empty(t, keys)
}

// The charges under a mandate are of the customer of its first payment, and name nobody.
func TestChargesGoWithTheFirstPayment(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service(charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil }))
	first := b.mandated(t, s, "first", payment.MandateTerms{})
	charge, err := b.charge(t.Context(), s, first, "second", 1000)
	require.NoError(t, err)
	refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, charge, "back", 100))
	require.NoError(t, err)
	b.allDelivered(t)
	_, err = b.erase(t.Context(), store.Erasure{Order: first, Force: true})
	require.ErrorContains(t, err, "refund "+refund.ID.String()+" is created: money may still move")
	b.report(t, refund.Key(), payment.StatusSucceeded)
	b.allDelivered(t)
	_, err = b.erase(t.Context(), store.Erasure{Order: first, Force: true})
	require.ErrorContains(t, err, "mandate "+first.Order.String()+" is active, so the customer may be charged by it. End it with 'server mandate revoke'")
	_, err = s.RevokeMandate(t.Context(), first)
	require.NoError(t, err)
	_, err = b.erase(t.Context(), store.Erasure{Order: first, Force: true})
	require.NoError(t, err)
	for _, key := range []payment.Key{first, charge.Key(), refund.Key()} {
		o, err := b.Order(t.Context(), key)
		require.NoError(t, err)
		require.True(t, o.Erased)
		require.Empty(t, o.Description)
	}
}

// A mandate that its provider charges is ended only when nothing can come any more.
func TestAnErasureWaitsForTheProvidersSchedule(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.OwnSchedules = []string{"fake"}
	fake := (&scheduler{}).fake()
	fake.EndScheduleFunc = func(gateway.Ref, int) (time.Time, error) { return b.clock.Now().Add(day), nil }
	s := b.service(fake)
	first := b.mandated(t, s, "first", payment.MandateTerms{MinDays: 30})
	b.allDelivered(t)
	_, err := s.RevokeMandate(t.Context(), first)
	require.NoError(t, err)
	_, err = b.erase(t.Context(), store.Erasure{Order: first, Force: true})
	require.ErrorContains(t, err, "is revoking, so the customer may be charged by it")
	b.clock.Add(day)
	_, err = b.erase(t.Context(), store.Erasure{Order: first, Force: true})
	require.NoError(t, err)
}

// Money may move after an erasure, too. It is written down, the shop is told, also at a second try, and no text is kept.
func TestMoneyThatMovesAfterAnErasureIsWrittenDown(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid, _ := b.described(t, "paid")
	failed := b.create(t, "failed", 700)
	b.report(t, failed.Key(), payment.StatusFailed)
	b.allDelivered(t)
	for _, o := range []*payment.Order{paid, failed} {
		_, err := b.erase(t.Context(), store.Erasure{Order: o.Key(), Force: true})
		require.NoError(t, err)
	}
	b.chargeback(t, paid.Key(), 100)
	_, err := b.UpdateOrder(t.Context(), failed.Key(), func(o *payment.Order) error {
		r := b.newReport(payment.StatusSucceeded)
		r.AsOf = o.Sequence
		o.Record(r)
		return nil
	})
	require.NoError(t, err)

	disputed, err := b.Order(t.Context(), paid.Key())
	require.NoError(t, err)
	require.Equal(t, int64(100), disputed.Disputed)
	superseded, err := b.Order(t.Context(), failed.Key())
	require.NoError(t, err)
	require.NotNil(t, superseded.SupersededBy)
	for _, o := range []*payment.Order{disputed, superseded} {
		require.NotEmpty(t, b.lease(t, o.Key()).Payload, "a second try is rendered again")
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM notifications WHERE order_id = $1 AND sequence = $2 AND payload IS NULL", o.ID, o.Sequence))
	}
	require.NotEmpty(t, b.lease(t, payment.Key{Shop: paid.ShopID, Order: *superseded.SupersededBy}).Payload)
	require.Empty(t, b.verify(t))
}
