package notify_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/notify"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

const loopback = "127.0.0.0/8:*"

type bundle struct {
	box    *memory
	n      *notify.Notifier
	log    *syncBuffer
	reg    *prometheus.Registry
	secret gateway.Secret
}

func setup(t *testing.T, change ...func(*notify.Config)) *bundle {
	t.Helper()
	b := &bundle{box: newMemory(), log: &syncBuffer{}, reg: prometheus.NewRegistry(), secret: gateway.Secret(shop.NewWebhookSecret())}
	cfg := notify.Config{Outbox: b.box, Log: zerolog.New(b.log), Registerer: b.reg, Now: b.box.Now, Timeout: 5 * time.Second}
	for _, c := range change {
		c(&cfg)
	}
	b.n = notify.New(cfg)
	t.Cleanup(b.n.Close)
	return b
}

func (b *bundle) deliver(t *testing.T, key payment.Key) time.Time {
	t.Helper()
	next, err := b.n.DeliverOrder(t.Context(), key)
	require.NoError(t, err)
	return next
}

func newKey() payment.Key { return payment.Key{Shop: uuid.New(), Order: uuid.New()} }

func withTimeout(d time.Duration) func(*notify.Config) {
	return func(c *notify.Config) { c.Timeout = d }
}

// syncBuffer is a log that handlers and tests may touch at once.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// shopServer answers with the given statuses in turn, the last for ever, and keeps what it was sent.
type shopServer struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	heads  []http.Header
}

func newShop(t *testing.T, header http.Header, statuses ...int) *shopServer {
	t.Helper()
	s := &shopServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		status := statuses[min(len(s.bodies), len(statuses)-1)]
		s.bodies, s.heads = append(s.bodies, r.Method+" "+string(body)), append(s.heads, r.Header)
		s.mu.Unlock()
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shopServer) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.bodies)
}

func TestSignedByStandardWebhooks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := newShop(t, nil, http.StatusNoContent)
	key := newKey()
	r := b.box.add(key, s.URL+"/hook?token=abc", b.secret, loopback)

	require.Zero(t, b.deliver(t, key))

	require.Equal(t, []string{"POST " + string(r.Payload)}, s.got())
	h := s.heads[0]
	require.Equal(t, "application/json", h.Get("Content-Type"))
	require.Equal(t, "payrelay", h.Get("User-Agent"))
	require.Equal(t, r.ID.String(), h.Get("webhook-id"))
	wh, err := standardwebhooks.NewWebhook(b.secret.Reveal())
	require.NoError(t, err)
	require.NoError(t, wh.Verify(r.Payload, h))
	require.Error(t, wh.Verify(append(slices.Clone(r.Payload), ' '), h))

	got := b.box.last()
	require.True(t, got.Delivered)
	require.Equal(t, http.StatusNoContent, got.HTTPStatus)
	require.Empty(t, got.Error)
	require.Positive(t, got.Duration)
	require.Equal(t, b.box.Now(), got.At)
}

// While a secret is rotated, a shop may hold either.
func TestEachLiveSecretSigns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := newShop(t, nil, http.StatusNoContent)
	key := newKey()
	fresh := gateway.Secret(shop.NewWebhookSecret())
	r := b.box.add(key, s.URL, b.secret, loopback)
	r.Secrets = []gateway.Secret{fresh, b.secret}
	require.Zero(t, b.deliver(t, key))
	require.Len(t, strings.Split(s.heads[0].Get("webhook-signature"), " "), 2)
	for _, secret := range r.Secrets {
		wh, err := standardwebhooks.NewWebhook(secret.Reveal())
		require.NoError(t, err)
		require.NoError(t, wh.Verify(r.Payload, s.heads[0]))
	}
	wh, err := standardwebhooks.NewWebhook(shop.NewWebhookSecret())
	require.NoError(t, err)
	require.Error(t, wh.Verify(r.Payload, s.heads[0]))

	key = newKey()
	b.box.add(key, s.URL, b.secret, loopback).Secrets = nil
	require.NotZero(t, b.deliver(t, key))
	require.Equal(t, "bad_secret", b.box.last().Error, "nothing goes out unsigned")
}

func TestOrderIsKeptWhileTheFirstFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := newShop(t, nil, 500, 503, 200)
	key := newKey()
	first := b.box.add(key, s.URL, b.secret, loopback)
	second := b.box.add(key, s.URL, b.secret, loopback)

	next := b.deliver(t, key)
	require.WithinRange(t, next, b.box.Now().Add(4*time.Second), b.box.Now().Add(6*time.Second))
	require.Equal(t, next, b.deliver(t, key), "not due: nothing is sent")
	require.Len(t, s.got(), 1)

	b.box.advance(next.Sub(b.box.Now()))
	next = b.deliver(t, key)
	require.WithinRange(t, next, b.box.Now().Add(24*time.Second), b.box.Now().Add(36*time.Second))

	b.box.advance(next.Sub(b.box.Now()))
	require.Zero(t, b.deliver(t, key))
	one, two := "POST "+string(first.Payload), "POST "+string(second.Payload)
	require.Equal(t, []string{one, one, one, two}, s.got())
	require.Equal(t, s.heads[0].Get("webhook-id"), s.heads[2].Get("webhook-id"))
	require.Equal(t, "status", b.box.attempts[0].Error)
	require.Equal(t, 500, b.box.attempts[0].HTTPStatus)
	require.InEpsilon(t, 2.0, count(t, b.reg, "status"), 0)
	require.InEpsilon(t, 2.0, count(t, b.reg, "delivered"), 0)
}

func count(t *testing.T, reg *prometheus.Registry, outcome string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "payrelay_notification_attempts_total" && m.GetLabel()[0].GetValue() == outcome {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestMetricNamesPassTheLinter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	problems, err := testutil.GatherAndLint(b.reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestGoneSwitchesTheEndpointOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := newShop(t, nil, http.StatusGone)
	key := newKey()
	b.box.add(key, s.URL, b.secret, loopback)
	b.box.add(key, s.URL, b.secret, loopback)

	require.Zero(t, b.deliver(t, key))
	require.Len(t, s.got(), 1)
	require.True(t, b.box.last().Gone)
	require.Equal(t, "gone", b.box.last().Error)
	require.Zero(t, b.box.last().RetryAt)
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]func(now time.Time) string{
		"seconds": func(time.Time) string { return "3600" },
		"date":    func(now time.Time) string { return now.Add(time.Hour).Format(http.TimeFormat) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			s := newShop(t, http.Header{"Retry-After": {header(b.box.Now())}}, 429)
			key := newKey()
			b.box.add(key, s.URL, b.secret, loopback)
			require.WithinDuration(t, b.box.Now().Add(time.Hour), b.deliver(t, key), time.Second)
		})
	}
}

func TestDeadLetteredAfterThreeDays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := newShop(t, nil, 500)
	key := newKey()
	created := b.box.add(key, s.URL, b.secret, loopback).CreatedAt
	b.box.add(key, s.URL, b.secret, loopback)

	var next time.Time
	for next = b.deliver(t, key); !next.IsZero(); next = b.deliver(t, key) {
		require.True(t, next.After(b.box.Now()))
		require.Less(t, b.box.count(), 50)
		b.box.advance(next.Sub(b.box.Now()))
	}
	require.Equal(t, created.Add(72*time.Hour), b.box.Now(), "the last try is at the end of the third day")
	require.GreaterOrEqual(t, b.box.count(), 12)
	for _, a := range b.box.attempts {
		require.Equal(t, 1, a.sequence, "what is dead-lettered holds back those behind it")
	}
	require.Contains(t, b.log.String(), `"dead_lettered":true`)
}

// What was given up on had many attempts; once it is sent again, its first failure is not its last.
func TestWhatIsSentAgainIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := newShop(t, nil, 500)
	key := newKey()
	r := b.box.add(key, s.URL, b.secret, loopback)
	r.Attempt, r.AttemptsBefore = 17, 17
	b.box.advance(80 * time.Hour)
	for range 5 {
		next := b.deliver(t, key)
		require.True(t, next.After(b.box.Now()), "dead-lettered after %d", b.box.count())
		b.box.advance(next.Sub(b.box.Now()))
	}
	require.Zero(t, b.deliver(t, key))
	require.Equal(t, 6, b.box.count())
	require.Contains(t, b.log.String(), `"attempt":18`)
}

func TestOneOrdersPoisonDoesNotBlockAnother(t *testing.T) {
	t.Parallel()
	b := setup(t, withTimeout(30*time.Second))
	release := make(chan struct{})
	entered := make(chan struct{})
	stuck := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	}))
	t.Cleanup(stuck.Close)
	fine := newShop(t, nil, 200)
	bad, good := newKey(), newKey()
	b.box.add(bad, stuck.URL, b.secret, loopback)
	b.box.add(good, fine.URL, b.secret, loopback)

	done := make(chan error, 1)
	go func() { _, err := b.n.DeliverOrder(context.Background(), bad); done <- err }()
	<-entered
	next, err := b.n.DeliverOrder(t.Context(), bad)
	require.NoError(t, err)
	require.Equal(t, b.box.Now().Add(40*time.Second), next, "leased for the timeout and some slack")
	require.Zero(t, b.deliver(t, good))
	require.Len(t, fine.got(), 1)
	close(release)
	require.NoError(t, <-done)
}

func TestStopIsNotTheShopsFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	key := newKey()
	b.box.add(key, s.URL, b.secret, loopback)
	next, err := b.n.DeliverOrder(ctx, key)
	require.NoError(t, err, "the outcome is written down though the caller has gone")
	require.Equal(t, b.box.Now().Add(5*time.Second), next)
	require.Equal(t, "interrupted", b.box.last().Error)
}

func TestAnOutcomeThatWasNotWrittenDownIsSentAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := newShop(t, nil, 200)
	key := newKey()
	b.box.add(key, s.URL, b.secret, loopback)
	lost := errors.New("database is away")
	b.box.failNext = lost
	_, err := b.n.DeliverOrder(t.Context(), key)
	require.ErrorIs(t, err, lost)
	leased := b.deliver(t, key)
	require.Equal(t, b.box.Now().Add(15*time.Second), leased)
	b.box.advance(15 * time.Second)
	require.Zero(t, b.deliver(t, key))
	require.Len(t, s.got(), 2)
}

func TestUnusableSecretAndDeadEndpoints(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plain := newShop(t, nil, 200)
	// Nobody listens on a port that was just given back.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := ln.Addr().String()
	require.NoError(t, ln.Close())
	hangUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(hangUp.Close)
	selfSigned := httptest.NewUnstartedServer(http.NotFoundHandler())
	selfSigned.Config.ErrorLog = newQuietLog()
	selfSigned.StartTLS()
	t.Cleanup(selfSigned.Close)

	for _, c := range []struct {
		url    string
		secret gateway.Secret
		word   string
	}{
		{plain.URL, "", "bad_secret"},
		{plain.URL, "whsec_", "bad_secret"},
		{plain.URL, "whsec_not base64", "bad_secret"},
		{"http://" + closed, b.secret, "connect"},
		{hangUp.URL, b.secret, "no_answer"},
		{selfSigned.URL, b.secret, "tls"},
		{strings.Replace(plain.URL, "http:", "https:", 1), b.secret, "tls"},
	} {
		key := newKey()
		b.box.add(key, c.url, c.secret, loopback)
		require.NotZero(t, b.deliver(t, key), c)
		require.Equal(t, c.word, b.box.last().Error, c)
		require.Zero(t, b.box.last().HTTPStatus)
	}
	require.Empty(t, plain.got())
}

func TestLogsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 2 {
			w.Header().Set("Location", "/canaryplace")
			w.WriteHeader(302)
		}
		_, _ = io.WriteString(w, "canaryanswer")
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	for _, url := range []string{
		s.URL + "/canarypath?canaryquery", s.URL + "/canarypath?canaryquery", "http://canaryuser:canarypass@127.0.0.1:" + port,
		"http://nowhere.invalid/canarypath?canaryquery", "http://[canarybad", "http://10.0.0.1:" + strconv.Itoa(81) + "/canarypath",
	} {
		key := newKey()
		r := b.box.add(key, url, b.secret, loopback)
		r.Payload = []byte(`{"email":"canary@mail.test"}`)
		b.deliver(t, key)
		require.Contains(t, b.log.String(), key.Order.String())
		require.NotContains(t, b.box.last().Error, "canary")
	}
	require.Equal(t, 6, strings.Count(b.log.String(), "\n"), "one line an attempt")
	require.NotContains(t, b.log.String(), "canary")
	require.NotContains(t, b.log.String(), strings.TrimPrefix(b.secret.Reveal(), "whsec_"))
	for _, want := range []string{`"outcome":"redirect"`, `"host":"nowhere.invalid"`, `"host":"127.0.0.1:` + port + `"`, `"shop":"books"`, `"account":"EUR-main"`} {
		require.Contains(t, b.log.String(), want)
	}
}
