package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

// returns is a provider that shows one transfer, of which some came back.
type returns struct {
	status gateway.Status
	back   *int64
}

func (r *returns) shown() gateway.Result {
	result := shownTransfer(r.status)
	result.Refunded = r.back
	return result
}

func (r *returns) fake() *gatewaytest.Fake {
	return &gatewaytest.Fake{
		FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) { return r.shown(), nil },
		TransferFunc:     func(context.Context, gateway.TransferRequest) (gateway.Result, error) { return r.shown(), nil },
		PayoutFunc:       func(context.Context, gateway.PayoutRequest) (gateway.Result, error) { return r.shown(), nil },
		FetchFunc:        func(context.Context, gateway.Ref) (gateway.Result, error) { return r.shown(), nil },
	}
}

func minor(n int64) *int64 { return &n }

// What came back of an imported transfer is booked, whether it came back before the import or after it.
func TestWhatCameBackOfAnImportedTransferIsBooked(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	r := &returns{status: gateway.StatusSucceeded, back: minor(400)}
	s := b.service(r.fake())
	in := payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: gateway.TransferQuery{ProviderID: "a5878766"}}
	o, isNew, err := s.ImportTransfer(t.Context(), in)
	require.NoError(t, err)
	require.True(t, isNew)
	require.Equal(t, payment.StatusSucceeded, o.Status)
	require.EqualValues(t, []int64{400, 400}, []int64{o.Captured, o.Refunded})
	require.Nil(t, o.NextPollAt, "nothing more can come back")

	b = newFixture(t)
	r = &returns{status: gateway.StatusSucceeded}
	s = b.service(r.fake())
	o, _, err = s.ImportTransfer(t.Context(), payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: in.Query})
	require.NoError(t, err)
	require.Zero(t, o.Refunded)
	ended := *o.FinalizedAt
	at := func(wait time.Duration, refunded int64) {
		t.Helper()
		require.NotNil(t, o.NextPollAt)
		b.clock.Add(wait)
		keys, err := b.LeaseDuePolls(t.Context(), "fake", 10, time.Minute)
		require.NoError(t, err)
		require.Len(t, keys, 1, "nobody else tells that it came back")
		o, err = s.Poll(t.Context(), o.Key())
		require.NoError(t, err)
		require.Equal(t, payment.StatusSucceeded, o.Status)
		require.Equal(t, refunded, o.Refunded)
		require.Equal(t, ended, *o.FinalizedAt)
	}
	at(10*time.Second, 0)
	r.back = minor(100)
	at(24*time.Hour, 100)
	at(24*time.Hour, 100)
	// It may be imported again, or asked about.
	r.back = minor(150)
	in = payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: in.Query}
	o, isNew, err = s.ImportTransfer(t.Context(), in)
	require.NoError(t, err)
	require.False(t, isNew)
	require.EqualValues(t, 150, o.Refunded)
	r.back = minor(400)
	o, err = s.Refresh(t.Context(), o.Key())
	require.NoError(t, err)
	require.EqualValues(t, 400, o.Refunded)
	require.Zero(t, o.Conflicts)
	require.Nil(t, o.NextPollAt)
	r.back = minor(150) // old news
	o, _, err = s.ImportTransfer(t.Context(), in)
	require.NoError(t, err)
	require.EqualValues(t, 400, o.Refunded)

	history, err := b.History(t.Context(), o.Key())
	require.NoError(t, err)
	var sums []string
	for _, h := range history {
		if h.From == h.To {
			sums = append(sums, h.ProviderData["refunded"])
		}
	}
	require.Equal(t, []string{"100", "150", "400"}, sums)
	reported := 0
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT count(*) FROM notifications WHERE order_id = $1", o.ID).Scan(&reported))
	require.Equal(t, 4, reported, "the shop is told each time")
}

// Nobody is asked for ever.
func TestAnImportedTransferIsWatchedForThirtyDays(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service((&returns{status: gateway.StatusSucceeded}).fake())
	o, _, err := s.ImportTransfer(t.Context(), payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: gateway.TransferQuery{ProviderID: "a5878766"}})
	require.NoError(t, err)
	checks := 0
	for ; o.NextPollAt != nil; checks++ {
		b.clock.Add(o.NextPollAt.Sub(b.clock.Now()))
		o, err = s.Poll(t.Context(), o.Key())
		require.NoError(t, err)
	}
	require.InDelta(t, 50, checks, 10)
	require.InDelta(t, 30*24, b.clock.Now().Sub(*o.FinalizedAt).Hours(), 24)
	require.Zero(t, o.Conflicts)
}

// A transfer or payout that was sent from here is not asked about by itself, but whoever asks is told.
func TestWhatCameBackOfWhatWasSentFromHereIsBooked(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	r := &returns{status: gateway.StatusSucceeded}
	s := b.service(r.fake())
	sent, _, err := s.Transfer(t.Context(), payment.NewTransfer{Shop: b.shop.ID, Reference: "t-1", Account: "EUR-1", Amount: money.New(400, "EUR")})
	require.NoError(t, err)
	paidOut, _, err := s.Payout(t.Context(), payment.NewPayout{Shop: b.shop.ID, Reference: "p-1", Account: "EUR-1", Minor: 400})
	require.NoError(t, err)
	r.back = minor(250)
	for _, o := range []*payment.Order{sent, paidOut} {
		require.Equal(t, payment.StatusSucceeded, o.Status)
		require.Nil(t, o.NextPollAt)
		o, err = s.Refresh(t.Context(), o.Key())
		require.NoError(t, err)
		require.EqualValues(t, 250, o.Refunded, o.Kind)
		require.Zero(t, o.Conflicts)
	}
}

// An answer whose state is not listed says that there is something all the same.
func TestAFirstAnswerWhoseStateIsNotListed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	s := b.service((&returns{status: ""}).fake())
	o, isNew, err := s.ImportTransfer(t.Context(), payment.TransferImport{Shop: b.shop.ID, Account: "EUR-1", Query: gateway.TransferQuery{ProviderID: "a5878766"}})
	require.NoError(t, err)
	require.True(t, isNew)
	require.Equal(t, payment.StatusProcessing, o.Status, "the provider has it")
	require.NotEmpty(t, o.StatusReason)
	require.NotNil(t, o.NextPollAt)
	repeated, err := s.Poll(t.Context(), o.Key())
	require.NoError(t, err)
	require.Equal(t, payment.StatusProcessing, repeated.Status, "nor does it end")
	o, _, err = s.Transfer(t.Context(), payment.NewTransfer{Shop: b.shop.ID, Reference: "t-1", Account: "EUR-1", Amount: money.New(400, "EUR")})
	require.NoError(t, err)
	require.Equal(t, payment.StatusUnknown, o.Status, "it was sent")
}
