package transport

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/gateway"
)

// Class groups operations that share a bulkhead at each host, so that slow transaction reports cannot starve payments, nor a shop that asks for
// its balance again and again the checks of orders. Breakers are kept apart further, by operation.
type Class string

// The classes of operation.
const (
	ClassRead     Class = "read"      // asks about orders and changes nothing
	ClassWrite    Class = "write"     // starts or changes payments
	ClassMoneyOut Class = "money_out" // refunds, payouts, transfers
	ClassReport   Class = "report"    // transaction reports
	ClassLookup   Class = "lookup"    // what shops may ask for as often as they like and no order waits for, such as balances
	ClassSession  Class = "session"   // opens the session that all other calls need
)

var classes = []Class{ClassRead, ClassWrite, ClassMoneyOut, ClassReport, ClassLookup, ClassSession}

// Config is what a Client is made of. Only Provider and Registerer have no default.
type Config struct {
	// Provider is the provider's name in metrics and logs.
	Provider string
	// Log gets one line per call.
	Log zerolog.Logger
	// Registerer gets the collectors; clients of several providers may share one.
	Registerer prometheus.Registerer
	// Timeout caps a whole call, whatever deadline its context has. Default 30 s.
	Timeout time.Duration
	// DialTimeout and TLSTimeout bound the two parts of connecting. Defaults 2 s and 3 s.
	DialTimeout, TLSTimeout time.Duration
	// RootCAs replaces the machine's roots, for tests.
	RootCAs *x509.CertPool
	// Concurrency is how many calls of one class may run at once at a host. Default 64.
	Concurrency uint
	// Hosts are where calls may go, as host:port in lower case. This machine may always be called.
	Hosts []string
	// AnyHost lets calls go anywhere.
	AnyHost bool
	// PlainHTTP lets calls go to a listed host without TLS.
	PlainHTTP bool
	// BulkheadWait is how long a call waits for its turn. Default 100 ms.
	BulkheadWait time.Duration
	// BreakerFailures in a row open the breaker of an operation at a host for BreakerDelay. Defaults 10 and 5 s.
	BreakerFailures uint
	BreakerDelay    time.Duration
}

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.DialTimeout <= 0 {
		c.DialTimeout = 2 * time.Second
	}
	if c.TLSTimeout <= 0 {
		c.TLSTimeout = 3 * time.Second
	}
	if c.Concurrency == 0 {
		c.Concurrency = 64
	}
	if c.BulkheadWait <= 0 {
		c.BulkheadWait = 100 * time.Millisecond
	}
	if c.BreakerFailures == 0 {
		c.BreakerFailures = 10
	}
	if c.BreakerDelay <= 0 {
		c.BreakerDelay = 5 * time.Second
	}
	return c
}

// DefaultMaxResponse is how large an answer may be, in bytes, unless a call says otherwise.
const DefaultMaxResponse = 1 << 20

// Call is one request.
type Call struct {
	// Operation names the request in metrics, logs and errors. It must come from a closed set.
	Operation string
	Class     Class
	// Scope names whose call it is, if one caller's failures must not hold others back: calls of one operation at a host
	// have a breaker for each scope. It comes from a set as small as that of accounts, and appears nowhere.
	Scope string
	// Role names the pool of connections, such as "pci": a provider's hosts do not share one.
	Role   string
	Method string
	URL    string
	Header http.Header
	// Body is sent as it is and overwritten with zeros afterwards, because it may hold a card.
	Body []byte
	// MaxResponse bounds the answer's body in bytes, DefaultMaxResponse if zero.
	MaxResponse int64
}

// Response is what came back, whatever its status.
type Response struct {
	Status int
	Body   []byte
}

// Conclusive reports whether the status is one of those by which a working API answers a request that it has read to its
// end: 2xx, or 400, 401, 403, 404 and 422. After any other (a time-out, a limit, a redirect, a proxy's, one that nobody
// knows) a refusal in the body proves nothing: the request may be carried out yet.
func (r Response) Conclusive() bool {
	switch r.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity:
		return true
	}
	return r.Status >= 200 && r.Status < 300
}

// Client sends calls to one provider. It is safe for concurrent use.
type Client struct {
	cfg     Config
	metrics *metrics
	guards  map[Class]*guard

	mu    sync.Mutex
	pools map[string]*http.Transport
}

// New returns a client. It panics if the registerer rejects the collectors, a programmer's mistake.
func New(cfg Config) *Client {
	cfg = cfg.withDefaults()
	c := &Client{cfg: cfg, metrics: newMetrics(cfg.Registerer), guards: map[Class]*guard{}, pools: map[string]*http.Transport{}}
	for _, class := range classes {
		c.guards[class] = newGuard(cfg, c.metrics, class)
	}
	return c
}

// CloseIdleConnections closes connections that carry no call.
func (c *Client) CloseIdleConnections() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pool := range c.pools {
		pool.CloseIdleConnections()
	}
}

// Do sends call and reads the whole answer. Any HTTP status is a Response. An error is a *gateway.Error of KindNotSent,
// KindUnknown or, for a call that cannot be made, KindInvalid; it wraps the context's error if that ended the call.
func (c *Client) Do(ctx context.Context, call Call) (Response, error) {
	start := time.Now()
	sent := len(call.Body)
	resp, outcome, err := c.do(ctx, call)
	c.metrics.observe(c.cfg.Provider, call.Operation, outcome, time.Since(start))
	c.log(ctx, call, resp, sent, outcome, time.Since(start))
	if err != nil {
		return Response{}, err
	}
	return resp, nil
}

// HeldBack returns for how long a call of this operation, class and scope to the host of its URL would be held back if it came
// now, 0 if it would be sent, or refused as one that cannot be made.
func (c *Client) HeldBack(call Call) time.Duration {
	u, err := url.Parse(call.URL)
	if err != nil {
		return 0
	}
	return c.guards[call.Class].breaker(call, u).heldBack()
}

func (c *Client) do(ctx context.Context, call Call) (Response, outcome, error) {
	body := newBody(call.Body)
	defer body.wipe() // unless net/http has it, which wipes it when it is done
	guard := c.guards[call.Class]
	req, err := c.newRequest(call, body)
	if errors.Is(err, errHost) {
		return Response{}, outcomeHost, &gateway.Error{Kind: gateway.KindNotSent, Op: call.Operation, Code: HostNotAllowed}
	}
	if err != nil || guard == nil {
		return Response{}, outcomeInvalid, &gateway.Error{Kind: gateway.KindInvalid, Op: call.Operation, Code: "request"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	body.until, _ = ctx.Deadline()
	breaker := guard.breaker(call, req.URL)
	if out := guard.enter(ctx, breaker); out != "" {
		err := &gateway.Error{Kind: gateway.KindNotSent, Op: call.Operation, Code: string(out), Err: contextError(ctx)}
		if out == outcomeBreaker {
			err.RetryAfter = max(breaker.RemainingDelay(), trialPause)
		}
		return Response{}, out, err
	}
	inFlight := c.metrics.inFlight.WithLabelValues(c.cfg.Provider, string(call.Class))
	inFlight.Inc()
	resp, err := c.roundTrip(ctx, call, req)
	inFlight.Dec()
	guard.leave(ctx, breaker, resp.Status, err)
	if err != nil {
		if gateway.KindOf(err) == gateway.KindNotSent {
			return resp, outcomeNotSent, err
		}
		return resp, outcomeUnknown, err
	}
	return resp, answered(resp.Status), nil
}

// newRequest makes a request that net/http cannot send twice.
func (c *Client) newRequest(call Call, body *wipedBody) (*http.Request, error) {
	u, err := url.Parse(call.URL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || call.Operation == "" {
		return nil, errRequest
	}
	if !c.cfg.allowed(u) {
		return nil, errHost
	}
	req := (&http.Request{
		Method: call.Method, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: call.Header.Clone(),
	})
	if req.Header == nil {
		req.Header = http.Header{}
	}
	// net/http takes these as leave to send a request again by itself.
	for name := range req.Header {
		switch http.CanonicalHeaderKey(name) {
		case "Idempotency-Key", "X-Idempotency-Key":
			return nil, errRequest
		}
	}
	if len(call.Body) > 0 {
		req.Body, req.ContentLength = body, int64(len(call.Body))
	}
	return req, nil
}

// roundTrip sends req and reads the answer. It goes round http.Client, which follows redirects and puts addresses into
// its errors.
func (c *Client) roundTrip(ctx context.Context, call Call, req *http.Request) (Response, error) {
	var seen progress
	req = req.WithContext(httptrace.WithClientTrace(ctx, seen.trace()))
	resp, err := c.pool(call.Role).RoundTrip(req)
	if err != nil {
		kind := gateway.KindUnknown
		if seen.nothingWritten() {
			kind = gateway.KindNotSent
		}
		return Response{}, failure(ctx, kind, call.Operation, err)
	}
	defer func() { _ = resp.Body.Close() }()
	limit := call.MaxResponse
	if limit <= 0 {
		limit = DefaultMaxResponse
	}
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(resp.Body, limit+1))
	out := Response{Status: resp.StatusCode, Body: buf.Bytes()}
	if err != nil {
		return out, failure(ctx, gateway.KindUnknown, call.Operation, err)
	}
	if n > limit {
		return out, &gateway.Error{Kind: gateway.KindUnknown, Op: call.Operation, Code: "answer_too_large"}
	}
	return out, nil
}
