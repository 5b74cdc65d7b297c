package gatewaytest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// What only some providers have: codes to confirm, sessions, commissions, and orders made of several operations. The
// parts of the suite that are about them are set in Subject; a capability without its part fails the suite.

// Codes is a dialogue about codes, for a gateway.CodeConfirmer.
type Codes struct {
	// Ref is an order that waits for a code, with the attempts left that it remembers.
	Ref gateway.Ref
	// Provider makes a provider that waits for a code of that order, and takes Right and no other.
	Provider func() http.Handler
	Right    gateway.Secret
	// Left is how many attempts there are before the first.
	Left int
}

// Session is how a provider loses sessions.
type Session struct {
	// Opens picks the requests that open a session.
	Opens func(*http.Request) bool
	// Lost answers that the session of a request is not known.
	Lost http.HandlerFunc
}

// Reading is what Fetch must make of an answer.
type Reading struct {
	Ref      gateway.Ref
	Provider http.Handler
	Status   gateway.Status
	// Refunded is what went back, 0 for nothing.
	Refunded int64
	// Commission is what the answer names beside the amount, 0 for nothing. It must not count as part of the amount.
	Commission int64
	// Class is what may follow a decline, "" where that is not looked at.
	Class gateway.RetryClass
}

func (s Subject) testCodes(t *testing.T) {
	t.Parallel()
	_, can := s.open(t, "http://127.0.0.1:1", io.Discard).(gateway.CodeConfirmer)
	require.Equal(t, can, s.Codes != nil, "codes are tested if there are any")
	if !can {
		return
	}
	c := s.Codes
	confirm := func(g gateway.Gateway, ref gateway.Ref, code gateway.Secret) gateway.Result {
		result, err := g.(gateway.CodeConfirmer).ConfirmCode(t.Context(), ref, code) //nolint:forcetypeassert // asked above
		require.NoError(t, err)
		return result
	}
	const wrong = "wrong0code0canary"
	var log bytes.Buffer
	srv := s.serve(t, c.Provider())
	g := s.open(t, srv.url, &log)
	ref := c.Ref
	for left := c.Left - 1; left > 0; left-- { // each wrong code costs one attempt, and is no error
		result := confirm(g, ref, wrong)
		require.Equal(t, gateway.StatusRequiresAction, result.Status)
		require.Equal(t, gateway.ActionConfirmCode, result.NextAction.Type)
		require.Equal(t, left, *result.NextAction.AttemptsLeft)
		require.NotContains(t, result.ProviderData, wrong)
		ref.State = merged(ref.State, result.State)
	}
	result := confirm(g, ref, c.Right)
	require.NotEqual(t, gateway.StatusRequiresAction, result.Status)
	require.NotEqual(t, gateway.StatusFailed, result.Status)
	require.NotContains(t, log.String(), wrong)
	s.requireClean(t, "confirm", result, log.String())

	g = s.open(t, s.serve(t, c.Provider()).url, io.Discard)
	result = confirm(g, c.Ref, c.Right)
	require.Nil(t, result.NextAction)
	require.Contains(t, []gateway.Status{gateway.StatusProcessing, gateway.StatusSucceeded}, result.Status)
}

func merged(a, b map[string]gateway.Secret) map[string]gateway.Secret {
	out := map[string]gateway.Secret{}
	for _, m := range []map[string]gateway.Secret{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

func (s Subject) testSessions(t *testing.T) {
	t.Parallel()
	if s.Session == nil {
		return
	}
	// provider answers with lose as long as that says so, and counts what opens sessions and what does not.
	provider := func(lose func(n int64) bool) (url string, opened, calls *atomic.Int64) {
		opened, calls = &atomic.Int64{}, &atomic.Int64{}
		srv := s.serveAll(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case s.Session.Opens(r):
				opened.Add(1)
				s.Answer.ServeHTTP(w, r)
			case lose(calls.Add(1)):
				s.Session.Lost(w, r)
			default:
				s.Answer.ServeHTTP(w, r)
			}
		}))
		return srv.url, opened, calls
	}
	for _, op := range s.operations() {
		url, opened, _ := provider(func(n int64) bool { return n == 1 })
		_, err := op.call(t.Context(), s.open(t, url, io.Discard))
		require.NoError(t, err, "%s: a lost session is renewed and the call repeated", op.name)
		require.EqualValues(t, 2, opened.Load(), op.name)

		url, opened, calls := provider(func(int64) bool { return true })
		_, err = op.call(t.Context(), s.open(t, url, io.Discard))
		require.Equal(t, gateway.KindCredentials, gateway.KindOf(err), op.name)
		require.EqualValues(t, 2, opened.Load(), "%s: once and no more", op.name)
		require.EqualValues(t, 2, calls.Load(), "%s: once and no more", op.name)
	}

	// Twenty calls lose the same session at the same time: one of them makes the new one, and none fails.
	const callers = 20
	together := make(chan struct{})
	url, opened, _ := provider(func(n int64) bool {
		if n == 1 || n > 1+callers { // the first call of all, and the repeats
			return false
		}
		if n == 1+callers {
			close(together)
		}
		<-together
		return true
	})
	g := s.open(t, url, io.Discard)
	_, err := g.CreatePayment(t.Context(), s.Hosted())
	require.NoError(t, err)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			_, err := g.CreatePayment(context.WithoutCancel(t.Context()), s.Hosted())
			require.NoError(t, err)
		})
	}
	group.Wait()
	require.EqualValues(t, 2, opened.Load(), "one renewal for all")
}

func (s Subject) testReadings(t *testing.T) {
	t.Parallel()
	for name, r := range s.Readings {
		result, err := s.open(t, s.serve(t, r.Provider).url, io.Discard).Fetch(t.Context(), r.Ref)
		require.NoError(t, err, name)
		require.Equal(t, r.Status, result.Status, name)
		require.Equal(t, r.Status == gateway.StatusFailed, result.Failure != nil, name)
		requireClass(t, result, name)
		if r.Class != "" {
			require.Equal(t, r.Class, result.Failure.Retry, name)
		}
		if result.Amount != nil {
			require.Equal(t, r.Ref.Amount.Minor(), *result.Amount, "%s: the amount is the order's, without what was charged beside it", name)
		}
		if result.Settled != nil {
			require.LessOrEqual(t, *result.Settled, r.Ref.Amount.Minor(), name)
		}
		if r.Refunded == 0 {
			require.True(t, result.Refunded == nil || *result.Refunded == 0, name)
		} else {
			require.Equal(t, r.Refunded, *result.Refunded, name)
		}
		if r.Commission != 0 {
			require.Equal(t, strconv.FormatInt(r.Commission, 10), result.ProviderData["commission"], name)
		}
	}
}

// testMissingElsewhere is testMissingFields for payouts and transfers.
func (s Subject) testMissingElsewhere(t *testing.T) {
	t.Parallel()
	srv := s.serve(t, s.Answer)
	g := s.open(t, srv.url, io.Discard)
	check := func(what string, missing []gateway.FieldError, call func() (gateway.Result, error)) {
		require.NotEmpty(t, missing, what)
		for _, f := range missing {
			requireReadable(t, f)
		}
		_, err := call()
		var e *gateway.Error
		require.ErrorAs(t, err, &e, what)
		require.Equal(t, gateway.KindInvalid, e.Kind, what)
		require.Equal(t, missing, e.Fields, what+": all at once")
	}
	if payer, ok := g.(gateway.Payer); ok {
		var empty gateway.PayoutRequest
		check("payout", g.Check(empty), func() (gateway.Result, error) { return payer.Payout(t.Context(), empty) })
	}
	if transferrer, ok := g.(gateway.Transferrer); ok {
		var empty gateway.TransferRequest
		check("transfer", g.Check(empty), func() (gateway.Result, error) { return transferrer.Transfer(t.Context(), empty) })
	}
	if importer, ok := g.(gateway.TransferImporter); ok {
		_, err := importer.FindTransfer(t.Context(), gateway.TransferQuery{})
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(err), "a transfer needs a name to be found by")
	}
	require.Zero(t, srv.requests.Load(), "nothing is sent")
}
