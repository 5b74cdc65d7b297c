package gatewaytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
	"payrelay/internal/money"
)

// Subject is an adapter under test.
type Subject struct {
	// Provider is the driver's name.
	Provider string
	// Open opens an account whose every address is url.
	Open func(t testing.TB, client *transport.Client, url string) gateway.Gateway
	// Answer is the provider on a good day: it accepts every request of Operations.
	Answer http.Handler
	// Prelude, if set, picks requests that are answered well even on bad days, such as a log-in before the call.
	Prelude func(*http.Request) bool
	// Echo, if set, makes an error answer of the provider's own form that repeats text.
	Echo func(text string) string
	// Hosted and Direct make complete payment requests; Direct has a card with a four-digit CVC, or is nil.
	Hosted, Direct func() gateway.PaymentRequest
	// Operations are further calls that must behave, by name: fetches, refunds, payouts and so on.
	Operations map[string]func(context.Context, gateway.Gateway) (gateway.Result, error)
	// Initiated names operations whose first call moves nothing: without an answer to it they are given up, as KindDeclined of
	// gateway.CodeUnanswered, and may try to cancel what they began.
	Initiated []string
	// Secrets are texts of the account, of a length that does not come about by chance, that must show up nowhere.
	Secrets []string
	// Callback is a genuine callback that needs no verification.
	Callback gateway.RawCallback
	// Callbacks are further genuine ones, by name: of declines, and of money that went back.
	Callbacks map[string]CallbackReading
	// Codes must be set for a gateway.CodeConfirmer, Session for a provider that has sessions.
	Codes   *Codes
	Session *Session
	// Readings are further answers to Fetch, by name: of operations, commissions, money that went back.
	Readings map[string]Reading
}

// open opens the subject on url; everything it logs goes to log.
func (s Subject) open(t testing.TB, url string, log io.Writer) gateway.Gateway {
	t.Helper()
	client := transport.New(transport.Config{
		Provider: s.Provider, Registerer: prometheus.NewRegistry(), Timeout: 20 * time.Second, BreakerFailures: 1000,
		Log: zerolog.New(log).Level(zerolog.TraceLevel),
	})
	t.Cleanup(client.CloseIdleConnections)
	return s.Open(t, client, url)
}

type operation struct {
	name string
	call func(context.Context, gateway.Gateway) (gateway.Result, error)
}

// operations lists all calls of the subject, sorted by name.
func (s Subject) operations() []operation {
	var ops []operation
	add := func(name string, req func() gateway.PaymentRequest) {
		if req != nil {
			ops = append(ops, operation{name, func(ctx context.Context, g gateway.Gateway) (gateway.Result, error) {
				return g.CreatePayment(ctx, req())
			}})
		}
	}
	add("create hosted", s.Hosted)
	add("create direct", s.Direct)
	for name, call := range s.Operations {
		ops = append(ops, operation{name, call})
	}
	slices.SortFunc(ops, func(a, b operation) int { return strings.Compare(a.name, b.name) })
	return ops
}

// forbidden lists what must show up nowhere but in requests.
func (s Subject) forbidden() []string {
	texts := slices.Clone(s.Secrets)
	for _, make := range []func() gateway.PaymentRequest{s.Hosted, s.Direct} {
		if make == nil {
			continue
		}
		req := make()
		texts = append(texts, req.Customer.Email, req.Customer.LastName)
		if c := req.Method.Card; c != nil {
			texts = append(texts, c.Number.Reveal(), c.CVC.Reveal())
		}
	}
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// byChance are the digits of a run that nobody chose: pointers as %#v prints them, the port of a server and of a connection to
// it, and how long a call took. A card's code has four digits at most, so that they hold it now and then.
var byChance = regexp.MustCompile(`0x[0-9a-f]+|127\.0\.0\.1:[0-9]+|\\*"duration_ms\\*":[0-9.]+`)

// requireClean fails if any forbidden text is in what.
func (s Subject) requireClean(t testing.TB, where string, what ...any) {
	t.Helper()
	for _, value := range what {
		text := everythingOf(value)
		for _, secret := range s.forbidden() {
			require.False(t, strings.Contains(text, secret), "%s: %q leaked into %T", where, secret, value)
		}
	}
}

// everythingOf is a value in every form in which it can be written down, but for the digits that come about by chance.
func everythingOf(value any) string {
	encoded, _ := json.Marshal(value)
	text := fmt.Sprintf("%v %+v %#v %s", value, value, value, encoded)
	if e, ok := value.(error); ok {
		var ge *gateway.Error
		if errors.As(e, &ge) {
			text += fmt.Sprintf(" %+v %v", ge.ProviderData, ge.Fields)
		}
	}
	return byChance.ReplaceAllString(text, "")
}

// requireClass holds that a decline says what may follow it, if only that nobody knows.
func requireClass(t testing.TB, r gateway.Result, name string) {
	t.Helper()
	if r.Failure != nil {
		require.Contains(t, gateway.RetryClasses, r.Failure.Retry, name)
	}
}

// refusals is an answer that refuses a call in the words of every provider. Beside a status of which nobody knows whether the
// call is carried out, it refuses nothing.
const refusals = `{"status":-1,"success":false,"err":"VALIDATION_PROCESSING_ERROR","error":{"code":"FORMAT_ERROR"}}`

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	t.Run("bad days", s.testBadDays)
	t.Run("silence", s.testSilence)
	t.Run("refused connection", s.testRefusedConnection)
	t.Run("refused credentials", s.testCredentials)
	t.Run("good day", s.testGoodDay)
	t.Run("echo", s.testEcho)
	t.Run("missing fields", s.testMissingFields)
	t.Run("currencies", s.testCurrencies)
	t.Run("callbacks", s.testCallbacks)
	t.Run("callback readings", s.testCallbackReadings)
	t.Run("concurrency", s.testConcurrency)
	t.Run("codes", s.testCodes)
	t.Run("sessions", s.testSessions)
	t.Run("readings", s.testReadings)
	t.Run("missing fields of payouts and transfers", s.testMissingElsewhere)
}

// lost is the kind of error of an operation whose first call had no answer that can be believed, where others have kind.
func (s Subject) lost(op operation, kind gateway.ErrorKind) gateway.ErrorKind {
	if kind == gateway.KindUnknown && slices.Contains(s.Initiated, op.name) {
		return gateway.KindDeclined
	}
	return kind
}

func (s Subject) testBadDays(t *testing.T) {
	t.Parallel()
	for _, day := range badDays() {
		for _, op := range s.operations() {
			var log bytes.Buffer
			srv := s.serve(t, day.do)
			_, err := op.call(t.Context(), s.open(t, srv.url, &log))
			where := day.name + ", " + op.name
			require.Error(t, err, where)
			require.Equal(t, s.lost(op, day.kind), gateway.KindOf(err), where)
			if s.lost(op, day.kind) == day.kind {
				require.EqualValues(t, 1, srv.requests.Load(), where+": nothing is sent again")
			}
			s.requireClean(t, where, err, log.String())
		}
	}
}

func (s Subject) testSilence(t *testing.T) {
	t.Parallel()
	noAnswer := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, op := range s.operations() {
		srv := s.serve(t, http.HandlerFunc(noAnswer))
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		_, err := op.call(ctx, s.open(t, srv.url, io.Discard))
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, op.name)
		require.Equal(t, s.lost(op, gateway.KindUnknown), gateway.KindOf(err), op.name+": a timeout is unknown, never failed")

		ctx, cancel = context.WithCancel(t.Context())
		srv = s.serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }))
		_, err = op.call(ctx, s.open(t, srv.url, io.Discard))
		require.ErrorIs(t, err, context.Canceled, op.name)
		require.Equal(t, s.lost(op, gateway.KindUnknown), gateway.KindOf(err), op.name)

		_, err = op.call(ctx, s.open(t, srv.url, io.Discard))
		require.Equal(t, gateway.KindNotSent, gateway.KindOf(err), op.name+": the context was over before")
	}
}

func (s Subject) testRefusedConnection(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for _, op := range s.operations() {
		var log bytes.Buffer
		_, err := op.call(t.Context(), s.open(t, "http://"+l.Addr().String(), &log))
		require.Equal(t, gateway.KindNotSent, gateway.KindOf(err), op.name)
		s.requireClean(t, op.name, err, log.String())
	}
}

func (s Subject) testCredentials(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403} {
		for _, op := range s.operations() {
			srv := httptest.NewServer(answer(status, `{"status": 2}`)) // preludes included
			_, err := op.call(t.Context(), s.open(t, srv.URL, io.Discard))
			srv.Close()
			require.Equal(t, gateway.KindCredentials, gateway.KindOf(err), "%s, %d", op.name, status)
		}
	}
}

func (s Subject) testGoodDay(t *testing.T) {
	t.Parallel()
	for _, op := range s.operations() {
		var log bytes.Buffer
		srv := s.serve(t, s.Answer)
		result, err := op.call(t.Context(), s.open(t, srv.url, &log))
		require.NoError(t, err, op.name)
		require.NotEmpty(t, result.Status, op.name)
		require.NotEmpty(t, result.ProviderData, op.name)
		require.Equal(t, result.Status == gateway.StatusFailed, result.Failure != nil, op.name)
		requireClass(t, result, op.name)
		s.requireClean(t, op.name, result, log.String())
		require.GreaterOrEqual(t, strings.Count(log.String(), "\n"), int(srv.requests.Load()), op.name+": a line for each call")
	}
}

func (s Subject) testEcho(t *testing.T) {
	t.Parallel()
	if s.Echo == nil {
		return
	}
	for _, status := range []int{200, 400, 422, 500} {
		for _, op := range s.operations() {
			var log bytes.Buffer
			srv := s.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.WriteHeader(status)
				// what a careless provider repeats: the body it got, and the credentials
				_, _ = io.WriteString(w, s.Echo(string(body)+" "+strings.Join(s.Secrets, " ")))
			}))
			result, err := op.call(t.Context(), s.open(t, srv.url, &log))
			s.requireClean(t, fmt.Sprintf("%s, echoed with %d", op.name, status), result, log.String())
			if err != nil {
				s.requireClean(t, fmt.Sprintf("%s, echoed with %d", op.name, status), err)
			}
		}
	}
}

// requireReadable holds that the message goes on where the field's name ends: answers join the two.
func requireReadable(t *testing.T, f gateway.FieldError) {
	t.Helper()
	require.Regexp(t, `^(is|are|must|cannot) `, f.Message, f.Field)
}

func (s Subject) testMissingFields(t *testing.T) {
	t.Parallel()
	srv := s.serve(t, s.Answer)
	g := s.open(t, srv.url, io.Discard)
	for _, make := range []func() gateway.PaymentRequest{s.Hosted, s.Direct} {
		if make == nil {
			continue
		}
		full := make()
		require.Empty(t, g.Check(full))
		empty := gateway.PaymentRequest{Ref: full.Ref, Flow: full.Flow}
		missing := g.Check(empty)
		require.Equal(t, missing, g.Check(empty))
		seen := map[string]bool{}
		for _, f := range missing {
			require.NotEmpty(t, f.Field)
			requireReadable(t, f)
			require.False(t, seen[f.Field], "%s twice", f.Field)
			seen[f.Field] = true
		}
		if len(missing) == 0 {
			continue // a provider that needs nothing of the kind
		}
		_, err := g.CreatePayment(t.Context(), empty)
		var e *gateway.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, gateway.KindInvalid, e.Kind)
		require.Equal(t, missing, e.Fields, "all at once")
	}
	require.Zero(t, srv.requests.Load(), "nothing is sent")
}

func (s Subject) testCurrencies(t *testing.T) {
	t.Parallel()
	for _, currency := range []money.Currency{"EUR", "USD", "UAH", "KZT", "JPY", "KWD"} {
		for _, minor := range []int64{1, 99, 1000, 123456789012} {
			req := s.Hosted()
			req.Ref.Amount = money.New(minor, currency)
			srv := s.serve(t, s.Answer)
			_, err := s.open(t, srv.url, io.Discard).CreatePayment(t.Context(), req)
			if gateway.KindOf(err) == gateway.KindInvalid && err != nil {
				var e *gateway.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, "currency", e.Fields[0].Field, currency)
				require.Zero(t, srv.requests.Load())
				continue
			}
			srv.mu.Lock()
			found := false
			for _, body := range srv.bodies {
				found = found || strings.Contains(body, fmt.Sprint(minor))
				d := json.NewDecoder(strings.NewReader(body))
				d.UseNumber()
				for {
					token, err := d.Token()
					if err != nil {
						break
					}
					if n, ok := token.(json.Number); ok {
						_, err := n.Int64()
						require.NoError(t, err, "%s: %s is no integer", currency, n)
					}
				}
			}
			srv.mu.Unlock()
			require.True(t, found, "%d %s was not sent as it is", minor, currency)
		}
	}
}

func (s Subject) testCallbacks(t *testing.T) {
	t.Parallel()
	g := s.open(t, "http://127.0.0.1:1", io.Discard)
	genuine, err := g.ReadCallback(s.Callback)
	require.NoError(t, err)
	require.Empty(t, genuine.VerifyReason)
	require.NotEmpty(t, genuine.OrderID)
	repeated, err := g.ReadCallback(s.Callback)
	require.NoError(t, err)
	require.Equal(t, genuine, repeated, "the same callback twice reads the same")
	s.requireClean(t, "callback", genuine)

	// Whatever is changed about the body, it is refused, or needs verification and says nothing about money, or still reads as what was
	// signed. Verification is for providers whose signature does not cover everything.
	for i := range s.Callback.Body {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			forged := s.Callback
			forged.Body = bytes.Clone(s.Callback.Body)
			forged.Body[i] ^= bit
			n, err := g.ReadCallback(forged)
			if err == nil && n.VerifyReason != "" {
				require.Empty(t, n.Result.Status, "byte %d changed", i)
				require.Nil(t, n.Result.Amount, "byte %d changed", i)
				continue
			}
			if err == nil {
				require.Equal(t, genuine, n, "byte %d changed", i)
				continue
			}
			require.Contains(t, []gateway.ErrorKind{gateway.KindRejected, gateway.KindInvalidSignature}, gateway.KindOf(err), "byte %d changed", i)
			require.Empty(t, n, "byte %d changed", i)
		}
	}
	for name, body := range map[string][]byte{"empty": nil, "cut": s.Callback.Body[:len(s.Callback.Body)/2], "junk": []byte("\x00\xff{]")} {
		forged := s.Callback
		forged.Body = body
		n, err := g.ReadCallback(forged)
		require.Contains(t, []gateway.ErrorKind{gateway.KindRejected, gateway.KindInvalidSignature}, gateway.KindOf(err), name)
		require.Empty(t, n, name)
	}
}

func (s Subject) testConcurrency(t *testing.T) {
	t.Parallel()
	srv := s.serve(t, s.Answer)
	g := s.open(t, srv.url, io.Discard)
	errs := make(chan error)
	ops := s.operations()
	for range 4 {
		for _, op := range ops {
			go func() { _, err := op.call(context.Background(), g); errs <- err }()
		}
	}
	for range 4 * len(ops) {
		require.NoError(t, <-errs)
	}
}
