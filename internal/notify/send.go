package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

const (
	// maxAnswer is how much of an answer's body is taken off the wire before its connection is given up.
	maxAnswer = 4 << 10
	// drainFor is how long that may take. The status has decided by then; only the connection's reuse is at stake.
	drainFor  = time.Second
	userAgent = "payrelay"
)

// Try makes one attempt of a delivery that is in no outbox, as every attempt is made, and writes nothing down.
func (n *Notifier) Try(ctx context.Context, d *payment.Delivery) payment.Attempt {
	a, _ := n.attempt(ctx, d)
	return a
}

// attempt sends d once and says how that ended.
func (n *Notifier) attempt(ctx context.Context, d *payment.Delivery) (payment.Attempt, outcome) {
	a := payment.Attempt{At: n.now()}
	start := time.Now()
	status, retryAfter, out := n.send(ctx, d)
	a.Duration = time.Since(start)
	a.HTTPStatus = status
	switch out {
	case delivered:
		a.Delivered = true
	case gone:
		a.Gone, a.Error = true, string(gone)
	case interrupted: // says nothing about the shop: soon again, however far the plan has got
		a.Error, a.RetryAt = string(out), n.now().Add(pauses[0])
	default:
		a.Error, a.RetryAt = string(out), retryAt(n.now(), d.CreatedAt, d.Attempt-d.AttemptsBefore, retryAfter)
		if retryAfter > 0 {
			a.NotBefore = n.now().Add(min(retryAfter, maxRetryAfter))
		}
	}
	return a, out
}

// send posts d's payload and returns the answer's status (0: none), the wait it asks for, and the outcome.
func (n *Notifier) send(ctx context.Context, d *payment.Delivery) (status int, retryAfter time.Duration, out outcome) {
	allow := parseAllow(d.AllowCIDRs)
	target, err := parseTarget(d.URL, allow)
	if r, ok := errors.AsType[*refusal](err); ok {
		return 0, 0, r.word
	}
	header, err := sign(d, n.signedAt())
	if err != nil {
		return 0, 0, badSecret
	}

	t := &trace{}
	reqCtx, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, t.client()), n.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(reqCtx, http.MethodPost, target.String(), bytes.NewReader(d.Payload))
	if err != nil {
		return 0, 0, badURL
	}
	req.Header = header

	resp, err := n.clients.forTarget(allow, target.Scheme).Do(req)
	if err != nil {
		return 0, 0, classify(err, ctx.Err() != nil, t)
	}
	// Closed last: by then the drain's timer is stopped or has cut the connection.
	defer resp.Body.Close() //nolint:errcheck // the answer has been judged
	drain := time.AfterFunc(drainFor, cancel)
	defer drain.Stop()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)

	return resp.StatusCode, parseRetryAfter(resp.Header, n.now()), judge(resp.StatusCode)
}

// judge finds the outcome of an answer.
func judge(status int) outcome {
	switch {
	case status >= 200 && status < 300:
		return delivered
	case status == http.StatusGone:
		return gone
	case status >= 300 && status < 400:
		return redirect
	}
	return badStatus
}

// sign returns the headers of a request: what the body is, and a signature over id, time and body by each secret.
func sign(d *payment.Delivery, at time.Time) (http.Header, error) {
	if len(d.Secrets) == 0 {
		return nil, errors.New("there is no signing secret")
	}
	signatures := make([]string, len(d.Secrets))
	for i, secret := range d.Secrets {
		var err error
		if signatures[i], err = signature(secret, d.ID.String(), at, d.Payload); err != nil {
			return nil, err
		}
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", userAgent)
	h.Set(standardwebhooks.HeaderWebhookID, d.ID.String())
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return h, nil
}

func signature(secret gateway.Secret, id string, at time.Time, payload []byte) (string, error) {
	const prefix = "whsec_"
	if len(secret.Reveal()) <= len(prefix) { // an empty key would sign without complaint
		return "", errors.New("signing secret is empty")
	}
	wh, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		return "", errors.New("signing secret is not base64")
	}
	return wh.Sign(id, at, payload)
}

// trace notes how far a request got. Its hooks may still run after the request has returned.
type trace struct{ connected, tlsFailed atomic.Bool }

func (t *trace) client() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { t.connected.Store(true) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err != nil {
				t.tlsFailed.Store(true)
			}
		},
	}
}
