package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// importer has payments of 1000 that were made elsewhere, under any id.
func (b *fixture) importer() *payment.Service {
	s := b.service(&gatewaytest.Fake{
		FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
			minor := int64(1000)
			return gateway.Result{Status: gateway.StatusSucceeded, Settled: &minor}, nil
		},
		ChargeFunc: func(context.Context, gateway.ChargeRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		},
	})
	s.Imports = b.Store
	return s
}

func (b *fixture) agreement(s *payment.Service, owner uuid.UUID, reference, parent string, terms payment.MandateTerms) (payment.Imported, error) {
	terms.MaxAmount = 1000
	all, err := s.ImportMandates(context.Background(), payment.MandateImport{Shop: owner, Account: "EUR-1", Agreements: []payment.Agreement{
		{Reference: reference, Parent: parent, Amount: money.New(1000, "EUR"), Description: "Socks", Terms: terms},
	}}, false)
	if err != nil {
		return payment.Imported{}, err
	}
	return all[0], nil
}

// However many operators import a parent at once, for whichever shops, it becomes one order.
func TestAParentIsImportedOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.importer()
	other, _, _ := b.newShop(t, "other", "")
	_, err := b.LinkAccount(t.Context(), "EUR-1", "other", store.Routing{}, false)
	require.NoError(t, err)
	owners := []uuid.UUID{b.shop.ID, other.ID}
	written := make([]bool, 8)
	for i, err := range race(len(written), func(i int) error {
		made, err := b.agreement(s, owners[i%2], []string{"a", "b", "a", "c"}[i%4], "parent-1", payment.MandateTerms{})
		written[i] = made.Written
		return err
	}) {
		if err != nil {
			require.Equal(t, payment.CodeReferenceConflict, payment.CodeOf(errors.Unwrap(err)), "%d: %v", i, err)
		}
	}
	n := 0
	for _, w := range written {
		if w {
			n++
		}
	}
	require.Equal(t, 1, n)
	for _, table := range []string{"imported_orders", "orders", "mandates", "audit_log WHERE action = 'mandate import'"} {
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM "+table), table)
	}
	require.Empty(t, b.verify(t))
}

// The account's merchant may have got another name at the provider since.
func TestAParentIsImportedOnceByAnAccountToo(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := payment.Parent{Merchant: "before", Account: uuid.New(), ID: "parent-1"}
	begin := func() (*payment.Order, func()) {
		d := b.draft(t, "a-"+o.Merchant, 1000)
		d.Recurring, d.Flow, d.ProviderOrderID, d.Terms = true, "", "parent-1", &payment.MandateTerms{MaxAmount: 1000}
		return d, func() { d.Record(b.newReport(payment.StatusSucceeded)) }
	}
	require.NoError(t, b.ImportMandate(t.Context(), o, begin))
	o.Merchant = "after"
	require.Equal(t, payment.CodeReferenceConflict, payment.CodeOf(b.ImportMandate(t.Context(), o, begin)))
	known, err := b.ParentKnown(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, "a-before of the shop "+b.shop.Name, known)
	o.Account = uuid.New()
	known, err = b.ParentKnown(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, known, "another merchant has payments of its own under the same ids")
}

// A shop may take the reference of a parent between the look at it and the import.
func TestAReferenceIsTakenDuringAnImport(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	err := b.ImportMandate(t.Context(), payment.Parent{Merchant: "m", Account: b.account.ID, ID: "parent-1"}, func() (*payment.Order, func()) {
		d := b.draft(t, "a", 1000)
		d.Recurring, d.Flow, d.ProviderOrderID, d.Terms = true, "", "parent-1", &payment.MandateTerms{MaxAmount: 1000}
		return d, func() { b.create(t, "a", 1000) } // after the look, before the rows
	})
	require.Equal(t, payment.CodeReferenceConflict, payment.CodeOf(err), "%v", err)
	require.Zero(t, b.count(t, "SELECT count(*) FROM imported_orders"))
}

// An id of payrelay's own form is known by what it says, also if its order was lost.
func TestAnOwnPaymentIsNoParent(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.importer()
	paid := b.paid(t, "paid-1", 1000)
	made, err := b.agreement(s, b.shop.ID, "a", paid.ProviderOrderID, payment.MandateTerms{})
	require.NoError(t, err)
	require.Contains(t, made.Wrong[0].Message, "as paid-1 of the shop "+b.shop.Name)
	lost, err := b.ProviderOrderID(t.Context(), b.shop.ID, gateway.KindPayment, "lost", 1)
	require.NoError(t, err)
	made, err = b.agreement(s, b.shop.ID, "a", lost, payment.MandateTerms{})
	require.NoError(t, err)
	require.Contains(t, made.Wrong[0].Message, "a payment that payrelay made for the shop "+b.shop.Name)
}

// Days and periods count from the last charge that was made elsewhere.
func TestAnImportedMandateCountsFromItsLastCharge(t *testing.T) {
	t.Parallel()
	b := &tampered{fixture: newFixture(t)}
	s := b.importer()
	charged := b.clock.Now().AddDate(0, 0, -20)
	made, err := b.agreement(s, b.shop.ID, "a", "parent-1", payment.MandateTerms{MinDays: 30, CountsFrom: &charged})
	require.NoError(t, err)
	require.True(t, made.Written)
	key := made.Order.Key()
	m, err := s.Mandate(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, charged.AddDate(0, 0, 29), *m.NextChargeAt(b.clock.Now()))
	_, err = b.charge(t.Context(), s, key, "soon", 1000)
	require.Equal(t, payment.CodeMandateTooSoon, payment.CodeOf(err))
	_, err = s.PauseMandate(t.Context(), key)
	require.NoError(t, err)
	_, err = s.ResumeMandate(t.Context(), key)
	require.NoError(t, err, "a decision keeps it")
	b.clock.Add(9 * 24 * time.Hour)
	o, err := b.charge(t.Context(), s, key, "due", 1000)
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, o.Status)
	require.Empty(t, b.verify(t))
	b.tamper(t, "UPDATE mandates SET counts_from = NULL")
	_, err = s.Mandate(t.Context(), key)
	require.ErrorIs(t, err, payment.ErrFrozen)
}

func TestAParentThatCanBeImportedAgainIsFound(t *testing.T) {
	t.Parallel()
	b := &tampered{fixture: newFixture(t)}
	made, err := b.agreement(b.importer(), b.shop.ID, "a", "parent-1", payment.MandateTerms{})
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), "DELETE FROM imported_orders")
	require.ErrorContains(t, err, "keeps its rows")
	b.tamper(t, "DELETE FROM imported_orders")
	require.Equal(t, []store.Finding{{"imported_orders", made.Order.ID.String(), "nothing keeps the parent of this mandate from being imported again"}}, b.verify(t))
}

// The id of a parent is not computed: what else says it is the notification.
func TestAnImportedOrderIsUnfrozenByItsNotification(t *testing.T) {
	t.Parallel()
	b := &tampered{fixture: newFixture(t)}
	made, err := b.agreement(b.importer(), b.shop.ID, "a", "parent-1", payment.MandateTerms{})
	require.NoError(t, err)
	key := made.Order.Key()
	b.tamper(t, "UPDATE orders SET provider_order_id = 'parent-2'")
	require.ErrorContains(t, b.unfreeze(t, key), `provider_order_id is "parent-2", and by notification 2 "parent-1"`)
	b.tamper(t, "UPDATE orders SET provider_order_id = 'parent-1', provider_reference = 'x'")
	require.NoError(t, b.unfreeze(t, key, "provider_reference"))
	require.Empty(t, b.verify(t))
}

// An account that begins nothing imports nothing.
func TestADrainedAccountImportsNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.importer()
	require.NoError(t, b.SetAccountMode(t.Context(), "EUR-1", shop.ModeDrain))
	_, err := b.agreement(s, b.shop.ID, "a", "parent-1", payment.MandateTerms{})
	require.Equal(t, payment.CodeDisabled, payment.CodeOf(err))
	require.Zero(t, b.count(t, "SELECT count(*) FROM orders"))
}

// The provider calls about an imported parent at another account of the same merchant. The callback does what it would at the parent's own,
// and once: the same callback at both accounts is a repeat.
func TestACallbackOfAParentAtAnotherAccountOfTheMerchant(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	second := b.newAccount(t, "EUR-2", "first")
	made, err := b.agreement(b.importer(), b.shop.ID, "a", "parent-1", payment.MandateTerms{})
	require.NoError(t, err)
	minor := int64(400)
	s := b.service(&gatewaytest.Fake{ReadCallbackFunc: func(gateway.RawCallback) (gateway.Notification, error) {
		return gateway.Notification{OrderID: "parent-1", Result: gateway.Result{Kind: gateway.KindRefund, Status: gateway.StatusSucceeded, Amount: &minor}}, nil
	}})
	s.Imports = b.Store
	for i, at := range []payment.Account{second, b.account} {
		verdict, err := s.HandleCallback(t.Context(), at.Provider, at.CallbackToken.Reveal(), gateway.RawCallback{Body: []byte("refund"), ReceivedAt: b.clock.Now()})
		require.NoError(t, err)
		require.Equal(t, []payment.Verdict{payment.Apply, payment.Repeat}[i], verdict)
	}
	d := b.disputeOf(t, made.Order.ID)
	require.Equal(t, []any{payment.DisputeExternalRefund, minor}, []any{d.Kind, d.Amount.Minor()})
}
