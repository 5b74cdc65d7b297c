package store_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
)

func TestRefundMovesThePaymentsSums(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	sums := func() [2]int64 {
		o, err := b.Order(t.Context(), parent.Key())
		require.NoError(t, err)
		return [2]int64{o.RefundReserved, o.Refunded}
	}
	first, repeated := b.draftRefund(t, parent, "r-1", 600), b.draftRefund(t, parent, "r-1", 600)
	other, large := b.draftRefund(t, parent, "r-2", 100), b.draftRefund(t, parent, "r-3", 401)
	one, created, err := b.createRefund(t.Context(), first)
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, [2]int64{600, 0}, sums())

	repeat, created, err := b.createRefund(t.Context(), repeated)
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, one.ID, repeat.ID)
	require.Equal(t, [2]int64{600, 0}, sums(), "a repeat reserves nothing")

	_, _, err = b.createRefund(t.Context(), other)
	require.Equal(t, payment.CodeRefundInProgress, payment.CodeOf(err), "one refund at a time")

	b.report(t, one.Key(), payment.StatusSucceeded)
	require.Equal(t, [2]int64{600, 600}, sums())
	_, _, err = b.createRefund(t.Context(), large)
	require.Equal(t, payment.CodeRefundTooLarge, payment.CodeOf(err))
	require.Zero(t, b.count(t, "SELECT count(*) FROM orders WHERE reference = 'r-3'"))

	two, created, err := b.createRefund(t.Context(), other)
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, [2]int64{700, 600}, sums())
	b.report(t, two.Key(), payment.StatusFailed)
	require.Equal(t, [2]int64{600, 600}, sums(), "a refund that failed gives its reservation back")
}

func TestOneOfManyRefundsIsOpen(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	drafts := make([]*payment.Order, 20)
	for i := range drafts {
		drafts[i] = b.draftRefund(t, parent, "r-"+strconv.Itoa(i), 10)
	}
	errs := race(len(drafts), func(i int) error {
		_, _, err := b.createRefund(t.Context(), drafts[i])
		return err
	})
	open := 0
	for _, err := range errs {
		if err == nil {
			open++
			continue
		}
		require.Equal(t, payment.CodeRefundInProgress, payment.CodeOf(err), "%v", err)
	}
	require.Equal(t, 1, open)
	require.Equal(t, 10, b.count(t, "SELECT amount_reserved FROM orders WHERE kind = 'payment'"))
}

func TestRefundOfAnothersPaymentIsNotFound(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	refund := b.draftRefund(t, b.paid(t, "p", 1000), "r", 100)
	nobody := uuid.New()
	refund.ParentID = &nobody
	_, _, err := b.createRefund(t.Context(), refund)
	require.ErrorIs(t, err, payment.ErrNotFound)
}

func TestRefundsNeverExceedWhatWasCaptured(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	drafts := make([]*payment.Order, 60)
	for i := range drafts {
		drafts[i] = b.draftRefund(t, parent, "r-"+strconv.Itoa(i), 70)
	}
	results := race(len(drafts), func(i int) error {
		for {
			o, _, err := b.createRefund(t.Context(), drafts[i])
			if code := payment.CodeOf(err); code == payment.CodeRefundInProgress || code == payment.CodeUnavailable {
				continue // another one is under way, or the callers have all connections
			}
			if err != nil {
				return err
			}
			for {
				_, err = b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
					o.Record(b.newReport(payment.StatusSucceeded))
					return nil
				})
				if payment.CodeOf(err) != payment.CodeUnavailable {
					return err
				}
			}
		}
	})
	done := 0
	for _, err := range results {
		if err == nil {
			done++
			continue
		}
		require.Equal(t, payment.CodeRefundTooLarge, payment.CodeOf(err), "%v", err)
	}
	require.Equal(t, 14, done, "14 times 70 fit into 1000")
	o, err := b.Order(t.Context(), parent.Key())
	require.NoError(t, err)
	require.Equal(t, [2]int64{980, 980}, [2]int64{o.RefundReserved, o.Refunded})
}

// Callbacks about a payment and about its refunds, refunds that end and new ones that begin: all want the same rows.
func TestRefundsAndCallbacksDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	apply := func(body string, about *payment.Order) error {
		cb := payment.Callback{AccountID: b.account.ID, DedupeKey: []byte(body), ProviderOrderID: about.ProviderOrderID, ReceivedAt: b.clock.Now()}
		_, _, err := b.applyCallback(t.Context(), cb, func(o *payment.Order) (payment.Verdict, string) {
			return o.Record(b.newReport(payment.StatusSucceeded)), ""
		})
		return err
	}
	for round := range 20 {
		name := strconv.Itoa(round)
		refund, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, name, 10))
		require.NoError(t, err)
		next := [2]*payment.Order{b.draftRefund(t, parent, name+"-next", 10), b.draftRefund(t, parent, name+"-next", 10)} // an order is not for two callers
		deadlocks := b.count(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
		errs := race(8, func(i int) error {
			switch i % 4 {
			case 0:
				return apply(name+"-payment-"+strconv.Itoa(i), parent)
			case 1:
				return apply(name+"-refund-"+strconv.Itoa(i), refund)
			case 2:
				_, err := b.UpdateOrder(t.Context(), refund.Key(), func(o *payment.Order) error {
					o.Record(b.newReport(payment.StatusSucceeded))
					return nil
				})
				return err
			default:
				_, _, err := b.createRefund(t.Context(), next[i/4])
				if payment.CodeOf(err) == payment.CodeRefundInProgress {
					err = nil
				}
				return err
			}
		})
		require.NoError(t, errors.Join(errs...))
		require.Equal(t, deadlocks, b.count(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
		if o, err := b.OrderByReference(t.Context(), b.shop.ID, next[0].Kind, next[0].Reference); err == nil {
			b.report(t, o.Key(), payment.StatusFailed)
		}
	}
	o, err := b.Order(t.Context(), parent.Key())
	require.NoError(t, err)
	require.Equal(t, [2]int64{200, 200}, [2]int64{o.RefundReserved, o.Refunded})
}

// slowReader gives the payment as it was before another refund of it failed.
type slowReader struct {
	payment.Store
	then func()
}

func (s *slowReader) Order(ctx context.Context, key payment.Key) (*payment.Order, error) {
	o, err := s.Store.Order(ctx, key)
	if then := s.then; then != nil {
		s.then = nil
		then()
	}
	return o, err
}

// Whether a refund is the last one of its payment is judged by what stands when it was written down, not when it was asked for.
func TestTheLastRefundIsToldByWhatIsLeftThen(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	parent := b.paid(t, "p", 1000)
	first, _, err := b.createRefund(t.Context(), b.draftRefund(t, parent, "r-1", 500))
	require.NoError(t, err)
	var last []bool
	fake := &gatewaytest.Fake{RefundFunc: func(_ context.Context, req gateway.RefundRequest) (gateway.Result, error) {
		last = append(last, req.Last)
		return gateway.Result{Status: gateway.StatusSucceeded}, nil
	}}
	s := payment.New(payment.Config{
		Store:   &slowReader{Store: b.Store, then: func() { b.report(t, first.Key(), payment.StatusFailed) }},
		Drivers: gateway.NewRegistry(fake), Now: b.clock.Now,
	})
	for _, reference := range []string{"r-2", "r-3"} {
		_, created, err := s.Refund(t.Context(), payment.NewRefund{Shop: b.shop.ID, Payment: parent.ID, Reference: reference, Minor: 500, Reason: "returned"})
		require.NoError(t, err)
		require.True(t, created)
	}
	require.Equal(t, []bool{false, true}, last)
}
