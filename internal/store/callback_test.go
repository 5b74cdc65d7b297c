package store_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

func (b *fixture) callback(body, order string) payment.Callback {
	return payment.Callback{
		AccountID: b.account.ID, DedupeKey: []byte(body), ProviderOrderID: order, Reported: "succeeded",
		ProviderData: gateway.ProviderData{"state": "PAYED"}, ReceivedAt: b.clock.Now(),
	}
}

func TestSameCallbackChangesTheOrderOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.create(t, "r-1", 1000)
	var ran, fresh atomic.Int32
	errs := race(20, func(int) error {
		verdict, seen, err := b.applyCallback(t.Context(), b.callback("body", o.ProviderOrderID), func(o *payment.Order) (payment.Verdict, string) {
			ran.Add(1)
			return o.Record(b.newReport(payment.StatusSucceeded)), "because"
		})
		if err == nil && verdict != payment.Apply {
			err = errors.New("verdict " + string(verdict))
		}
		if !seen {
			fresh.Add(1)
		}
		return err
	})
	require.NoError(t, errors.Join(errs...))
	require.EqualValues(t, 1, ran.Load())
	require.EqualValues(t, 1, fresh.Load())
	got, err := b.Order(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, got.Status)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM notifications"))
	require.Len(t, b.heard(), 1)

	kept, err := b.CallbacksOf(t.Context(), o.Key())
	require.NoError(t, err)
	require.Len(t, kept, 1)
	require.Equal(t, payment.Apply, kept[0].Verdict)
	require.Equal(t, "because", kept[0].Reason)
	require.Equal(t, "succeeded", kept[0].Reported)
	require.Equal(t, gateway.ProviderData{"state": "PAYED"}, kept[0].ProviderData)
}

func TestCallbackWithoutAnOrderIsKept(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for _, repeated := range []bool{false, true} {
		verdict, seen, err := b.applyCallback(t.Context(), b.callback("body", "nobody's\x00"), func(*payment.Order) (payment.Verdict, string) {
			panic("there is no order")
		})
		require.NoError(t, err)
		require.Equal(t, payment.NoOrder, verdict)
		require.Equal(t, repeated, seen)
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orderless_callbacks"))
}

func TestSharedIDIsTheCallingAccounts(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	first := b.create(t, "r-1", 1000)
	second, other := b.draft(t, "r-2", 1000), b.newAccount(t, "EUR-2", "first")
	second.ProviderOrderID, second.AccountID = first.ProviderOrderID, other.ID
	_, _, err := b.CreateOrder(t.Context(), second)
	require.NoError(t, err)
	for _, want := range []*payment.Order{first, second} {
		cb := b.callback("to "+want.ID.String(), first.ProviderOrderID)
		cb.AccountID = want.AccountID
		_, _, err := b.applyCallback(t.Context(), cb, func(o *payment.Order) (payment.Verdict, string) {
			require.Equal(t, want.ID, o.ID)
			return payment.Stale, ""
		})
		require.NoError(t, err)
	}
}
