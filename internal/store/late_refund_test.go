package store_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
)

// refusedRefund is a refund that the provider refused.
func (b *fixture) refusedRefund(t *testing.T, paid *payment.Order, reference string, minor int64) *payment.Order {
	t.Helper()
	o, _, err := b.createRefund(t.Context(), b.draftRefund(t, paid, reference, minor))
	require.NoError(t, err)
	r := b.newReport(payment.StatusFailed)
	r.Failure, r.ProviderReference = &gateway.Failure{Code: "REFUSED"}, "id-"+reference
	o, err = b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
		r.AsOf = o.Sequence
		require.Equal(t, payment.Apply, o.Record(r))
		return nil
	})
	require.NoError(t, err)
	return o
}

// asksToRefund asks for a refund, and returns the code of the refusal.
func (b *fixture) asksToRefund(t *testing.T, paid *payment.Order, reference string, minor int64) payment.Code {
	t.Helper()
	_, _, err := b.casesAt(gateway.StatusSucceeded).Refund(t.Context(), payment.NewRefund{
		Shop: b.shop.ID, Payment: paid.ID, Reference: reference, Minor: minor, RequestHash: []byte(reference), AllowDuplicate: true,
	})
	return payment.CodeOf(err)
}

// A refund that failed here was carried out: its sum is a dispute of the payment, opened once, and cannot be refunded once more.
func TestARefundThatIsCarriedOutLateIsADispute(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid := b.paid(t, "p", 1000)
	refund := b.refusedRefund(t, paid, "r", 600)
	require.Equal(t, payment.Apply, b.reportedRefund(t, "late", paid, gateway.StatusSucceeded, 600))
	require.Equal(t, payment.Repeat, b.reportedRefund(t, "late, in other words", paid, gateway.StatusSucceeded, 600))

	page, err := b.Disputes(t.Context(), payment.DisputeFilter{Shop: b.shop.ID})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	d := page.Items[0]
	require.Equal(t, []any{payment.DisputeExternalRefund, paid.ID, int64(600), int64(0), &refund.ID, payment.SourceCallback},
		[]any{d.Kind, d.OrderID, d.Amount.Minor(), d.Overdrawn, d.RefundID, d.Source})
	refund, err = b.Order(t.Context(), refund.Key())
	require.NoError(t, err)
	require.Equal(t, []any{payment.StatusFailed, &d.ID, 0, gateway.AdviceDoNotRetry}, []any{refund.Status, refund.SupersededBy, refund.Conflicts, refund.Failure.Advice})
	require.Empty(t, b.verify(t))

	require.Equal(t, payment.CodePaymentDisputed, b.asksToRefund(t, paid, "r-2", 100))
	_, err = b.cases().ResolveDispute(t.Context(), b.shop.ID, d.ID, payment.AcceptDispute)
	require.NoError(t, err)
	require.Equal(t, payment.CodeRefundTooLarge, b.asksToRefund(t, paid, "r-3", 401))
	require.Empty(t, b.asksToRefund(t, paid, "r-4", 400))
	require.Empty(t, b.verify(t))
}

// Until it is settled whether a failed refund was carried out, its sum counts as given back.
func TestTheSumOfAContestedRefundIsNotGivenBackAgain(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid := b.paid(t, "p", 1000)
	refund := b.refusedRefund(t, paid, "r", 600)
	shown := gateway.StatusProcessing
	fake := &gatewaytest.Fake{
		FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) { return gateway.Result{Status: shown}, nil },
		ReadCallbackFunc: func(raw gateway.RawCallback) (gateway.Notification, error) {
			minor := int64(600)
			return gateway.Notification{OrderID: paid.ProviderOrderID, Fingerprint: raw.Body, Weak: "two readings", Result: gateway.Result{
				Status: gateway.StatusSucceeded, Kind: gateway.KindRefund, Amount: &minor,
			}}, nil
		},
	}
	service := payment.New(payment.Config{Store: b.Store, Drivers: gateway.NewRegistry(fake), Now: b.clock.Now})
	verdict, err := service.HandleCallback(t.Context(), "fake", b.account.CallbackToken.Reveal(), gateway.RawCallback{Body: []byte("weak"), ReceivedAt: b.clock.Now()})
	require.NoError(t, err)
	require.Equal(t, payment.Verify, verdict)
	require.Equal(t, payment.CodeRefundInProgress, b.asksToRefund(t, paid, "r-2", 401))
	require.Empty(t, b.asksToRefund(t, paid, "r-3", 400), "what is left besides")

	shown = gateway.StatusSucceeded
	_, err = service.Poll(t.Context(), refund.Key())
	require.NoError(t, err)
	now, err := b.Order(t.Context(), paid.Key())
	require.NoError(t, err)
	require.Equal(t, []int64{400, 600, 0}, []int64{now.RefundReserved, now.Disputed, now.Overdrawn})
	require.Empty(t, b.verify(t))
}

// A conflict of a failed refund counts as well, until an operator has settled it.
func TestAConflictOfAFailedRefundKeepsItsSum(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid := b.paid(t, "p", 1000)
	refund := b.refusedRefund(t, paid, "r", 600)
	_, err := b.UpdateOrder(t.Context(), refund.Key(), func(o *payment.Order) error {
		r := b.newReport(payment.StatusSucceeded)
		r.Source, r.Currency = payment.SourceCallback, "USD"
		require.Equal(t, payment.Conflict, o.Record(r))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, payment.CodeRefundInProgress, b.asksToRefund(t, paid, "r-2", 600))
	_, _, err = b.cases().Resolve(t.Context(), refund.Key(), payment.Resolution{Status: payment.StatusFailed, Reason: "the provider has nothing", Operator: "ann"})
	require.NoError(t, err)
	require.Empty(t, b.asksToRefund(t, paid, "r-3", 600))
}

// However many say so at once, and whatever refunds begin meanwhile, one dispute is opened, and no refund takes what is gone.
func TestALateRefundBesideOtherRefunds(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	paid := b.paid(t, "p", 1000)
	b.refusedRefund(t, paid, "r", 600)
	const each = 8
	errs := race(2*each, func(i int) error {
		if i%2 == 0 {
			b.reportedRefund(t, "late "+strconv.Itoa(i), paid, gateway.StatusSucceeded, 600)
			return nil
		}
		if code := b.asksToRefund(t, paid, "r-"+strconv.Itoa(i), 500); code != "" {
			return errors.New(string(code))
		}
		return nil
	})
	done := 0
	for i := 1; i < 2*each; i += 2 {
		if errs[i] == nil {
			done++
		}
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM disputes"))
	now, err := b.Order(t.Context(), paid.Key())
	require.NoError(t, err)
	require.LessOrEqual(t, now.RefundReserved+now.Disputed, now.Captured)
	require.EqualValues(t, 600, now.Disputed+now.Overdrawn)
	require.EqualValues(t, 500*done, now.RefundReserved)
	require.LessOrEqual(t, done, 2, "those that were done before the provider said so")
	require.Empty(t, b.verify(t))
}
