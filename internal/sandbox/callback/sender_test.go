package callback

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/clock"
	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/schedule"
)

// fixture is a sender that runs, and somebody who receives.
type fixture struct {
	*Sender
	mu          sync.Mutex
	waitTimeout DefaultTimeout
	url         string

	gotMu  sync.Mutex
	bodies []string
	header http.Header
	answer int
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{answer: http.StatusOK, waitTimeout: DefaultTimeout{Timeout: 5 * time.Second, Pauses: []time.Duration{time.Millisecond, time.Millisecond}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		b.gotMu.Lock()
		b.bodies, b.header = append(b.bodies, string(raw)), r.Header.Clone()
		status := b.answer
		b.gotMu.Unlock()
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "card 4012000000003010")
	}))
	queue := schedule.New(8, clock.New(nil, 0))
	b.Sender = New(Config{
		Provider: "test", UserAgent: "Test-sandbox", ContentType: "text/plain", Guard: &b.mu, Timeout: func() DefaultTimeout { return b.waitTimeout },
		Queue: queue, Now: time.Now, Log: zerolog.Nop(),
	})
	b.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- queue.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		b.Close()
		server.Close()
	})
	return b
}

func (b *fixture) got() []string {
	b.gotMu.Lock()
	defer b.gotMu.Unlock()
	return append([]string(nil), b.bodies...)
}

func (b *fixture) locked(do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	do()
}

// attempts waits until there are n, and returns the delivery as it is then.
func (b *fixture) attempts(t *testing.T, d *Delivery, n int) Delivery {
	t.Helper()
	var out Delivery
	require.Eventually(t, func() bool {
		b.locked(func() { out = d.Clone() })
		return len(out.Attempts) >= n
	}, time.Minute, time.Millisecond)
	return out
}

func TestADeliveryEndsWithTheFirst200(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	d := To(b.url, "body")
	b.locked(func() { b.Send(&d, 0) })
	kept := b.attempts(t, &d, 1)
	require.Equal(t, []string{"body"}, b.got())
	require.Equal(t, "text/plain", b.header.Get("Content-Type"))
	require.Equal(t, "Test-sandbox", b.header.Get("User-Agent"))
	require.Equal(t, 200, kept.Attempts[0].Status)
	require.Equal(t, "card 401200******3010", kept.Attempts[0].Body, "masked")
	require.False(t, kept.QueuedAt.IsZero())
	b.Deliver(t.Context(), &d)
	require.Len(t, b.got(), 1, "made already")
}

func TestRedeliveriesAreFinite(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 302, 500} {
		b := newFixture(t)
		b.answer = status
		d := To(b.url, "body")
		b.locked(func() { b.Send(&d, 0) })
		kept := b.attempts(t, &d, 3)
		require.Equal(t, status, kept.Attempts[2].Status, "and a redirection is not followed")
		last, seen := To(b.url, "last"), false
		b.locked(func() { b.Send(&last, 20*time.Millisecond) }) // later than any redelivery would be
		require.Eventually(t, func() bool { got := b.got(); seen = got[len(got)-1] == "last"; return len(got) >= 4 }, time.Minute, time.Millisecond)
		require.True(t, seen, "a fourth attempt of the first")
	}
}

func TestAnAddressThatCannotBeReached(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.waitTimeout.Pauses = nil
	for _, url := range []string{"http://127.0.0.1:1/", "::"} {
		d := To(url, "body")
		b.Deliver(t.Context(), &d)
		require.Len(t, d.Attempts, 1)
		require.Zero(t, d.Attempts[0].Status)
		require.NotEmpty(t, d.Attempts[0].Error)
	}
}

func TestWhatIsSuppressedIsNeverSent(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	d := To(b.url, "body")
	d.Suppressed = "off"
	b.Deliver(t.Context(), &d)
	require.Empty(t, b.got())
	require.Empty(t, d.Attempts)
}

func TestFaultsDecideWhenAndHowOften(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	var sent []string
	send := func(name string) func(time.Duration) {
		return func(delay time.Duration) { sent = append(sent, name+" "+delay.String()) }
	}
	var o Outbox
	dispatch := func(name string, plan fault.Plan) []string {
		sent = nil
		b.locked(func() { b.Dispatch(&o, plan, send(name)) })
		return sent
	}
	require.Equal(t, []string{"a 0s"}, dispatch("a", nil))
	require.Equal(t, []string{"b 70ms"}, dispatch("b", fault.Plan{{Kind: fault.CallbackLate, DelayMS: 70}}))
	require.Equal(t, []string{"c 0s", "c 0s"}, dispatch("c", fault.Plan{{Kind: fault.CallbackDuplicate}}))
	require.Len(t, dispatch("c", fault.Plan{{Kind: fault.CallbackDuplicate, Times: 5}}), 5)

	held := fault.Plan{{Kind: fault.CallbackReordered, DelayMS: 60_000}}
	require.Empty(t, dispatch("d", held))
	require.Equal(t, []string{"e 0s", "d 250ms"}, dispatch("e", held), "one is held back at a time")
	require.Equal(t, []string{"f 0s"}, dispatch("f", nil))

	require.Empty(t, dispatch("g", fault.Plan{{Kind: fault.CallbackReordered, DelayMS: 1}}))
	require.Eventually(t, func() (done bool) {
		b.locked(func() { done = len(sent) == 1 && sent[0] == "g 0s" })
		return done
	}, time.Minute, time.Millisecond, "no other came")
}

func TestADeliveryKeepsItsPlaceInJSON(t *testing.T) {
	t.Parallel()
	d := To("https://shop.example", "secret body")
	raw, err := json.Marshal(struct {
		Variant string `json:"variant"`
		Delivery
	}{"genuine", d})
	require.NoError(t, err)
	require.Equal(t, `{"variant":"genuine","queued_at":"0001-01-01T00:00:00Z","attempts":null}`, string(raw))
	require.Equal(t, "secret body", d.Body())
}
