package uapay

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
)

const maxBody = 1 << 20

// call is one API request whose envelope was accepted.
type call struct {
	merchant     *Merchant
	endpoint     string
	base         string
	params, data object
	checks       fault.Plan
}

// answer is what an endpoint says.
type answer struct {
	data   map[string]any // nil answers the status alone
	code   string         // of an error
	msg    string
	fields complaints
	// made is the order that the call created or gave a payment to, if any.
	made *Order
}

func reject(code, msg string) answer { return answer{code: code, msg: msg} }

type endpoint func(*Simulator, *call) answer

// Endpoints lists the API's methods by path without /api/.
func Endpoints() []string {
	out := make([]string, 0, len(methods()))
	for _, m := range methods() {
		out = append(out, m.path)
	}
	return out
}

// reads are the methods that tell a status; only they can be made to deny or lie.
var reads = map[string]bool{
	"invoicer/invoices/show": true, "invoicer/invoices/show/list": true, "invoicer/payments/checkStatus": true,
	"invoicer/payments/show": true, "payments/p2p/show": true, "payments/p2p/show/list": true, "p2p/payments/show": true,
}

type method struct {
	path string
	fn   endpoint
}

func methods() []method {
	return []method{
		{createSession, (*Simulator).createSession},
		{"cards/create", (*Simulator).createCard},
		{"invoicer/invoices/create", (*Simulator).createInvoice},
		{"invoicer/invoices/show", (*Simulator).showInvoice},
		{"invoicer/invoices/show/list", (*Simulator).listInvoices},
		{"invoicer/invoices/update", (*Simulator).updateInvoice},
		{"invoicer/invoices/cancel", (*Simulator).cancelInvoice},
		{"invoicer/subscriptions/update", (*Simulator).updateSubscription},
		{"invoicer/payments/create", (*Simulator).createPayment},
		{"invoicer/payments/checkStatus", (*Simulator).checkStatus},
		{"invoicer/payments/confirm", (*Simulator).confirmPayment},
		{"invoicer/payments/complete", (*Simulator).completePayment},
		{"invoicer/payments/cancel", (*Simulator).cancelPayment},
		{"invoicer/payments/reverse", (*Simulator).reversePayment},
		{"invoicer/payments/show", (*Simulator).showPayment},
		{"invoicer/payments/showCommission", (*Simulator).showCommission},
		{"payments/p2p/direct/create", (*Simulator).createDirect},
		{"payments/p2p/show", (*Simulator).showDirect},
		{"payments/p2p/confirm", (*Simulator).confirmDirect},
		{"payments/p2p/show/list", (*Simulator).listDirect},
		{"payments/p2p/commission/calculate", (*Simulator).p2pCommission},
		{"p2p/payments/show", (*Simulator).showTransfer},
		{"p2p/payments/c2a/initiate", (*Simulator).initiateC2A},
		{"p2p/payments/c2a/complete", (*Simulator).completeC2A},
		{"p2p/payments/c2a/completeWithoutAcceptance", (*Simulator).completeC2AUnchallenged},
		{"p2p/payments/c2a/cancel", (*Simulator).cancelC2A},
		{"p2p/payments/c2a/reverse/initiate", (*Simulator).initiateReverse},
		{"p2p/payments/c2a/reverse/complete", (*Simulator).completeReverse},
		{"p2p/payments/c2a/reverse/cancel", (*Simulator).cancelReverse},
		{"p2p/payments/a2c/initiate", (*Simulator).initiateA2C},
		{"p2p/payments/a2c/complete", (*Simulator).completeA2C},
		{"p2p/payments/a2c/cancel", (*Simulator).cancelA2C},
	}
}

// Handler serves everything of the simulator.
func (t *Simulator) Handler() http.Handler {
	r := chi.NewRouter()
	for _, m := range methods() {
		if m.path == "payments/p2p/confirm" { // also the bank's return address (uapay.md 9.1)
			r.Post("/api/"+m.path, t.apiOrTerm(t.api(m.path, m.fn)))
			continue
		}
		r.Post("/api/"+m.path, t.api(m.path, m.fn))
	}
	t.pageRoutes(r)
	r.HandleFunc("/api/*", t.api("", func(*Simulator, *call) answer { return reject(CodeMethodNotFound, "no such method") }))
	t.controlRoutes(r)
	t.consoleRoutes(r)
	return r
}

// api wraps an endpoint with what all endpoints share: the checks of the
// envelope, the record of requests, faults, the form of answers.
func (t *Simulator) api(name string, fn endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		kept := t.calls.Add(record.Request{At: t.now().UTC(), Method: r.Method, Path: r.URL.Path, Role: "api", Endpoint: name})
		status, plan, said := 0, fault.Plan(nil), map[string]any(nil)
		defer func() { // also when a fault drops the connection
			t.calls.Finish(kept, status, said, plan.Kinds())
			t.log.Info().Str("provider", "uapay").Str("endpoint", name).Int("status", status).
				Int("faults", len(plan)).Dur("took", time.Since(start)).Msg("api request")
		}()
		c := &call{endpoint: name, base: t.baseURL(r)}
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		body, ok := parse(raw)
		var rejected *answer
		if err != nil || !ok {
			a := reject(CodeFormat, "body must be one JSON object")
			rejected = &a
		} else {
			rejected = t.open(c, body)
			external := t.externalOf(c)
			t.calls.Describe(kept, external, scrub(map[string]any{"params": map[string]any(c.params), "data": map[string]any(c.data)}))
			if rejected == nil {
				t.startRecipe(c)
				plan = t.faults.Take(name, external, fault.HTTP...)
				if reads[name] {
					c.checks = t.faults.Take(name, external, fault.Check...)
				}
				var done bool
				if status, done = plan.Before(r.Context(), w); done {
					return
				}
			}
		}
		a := answer{}
		if rejected != nil {
			a = *rejected
		} else {
			t.mu.Lock()
			a = fn(t, c)
			t.mu.Unlock()
		}
		if a.made != nil {
			t.beforeAnswer(context.WithoutCancel(r.Context()), name, a.made)
		}
		code, out := t.envelope(c, a)
		said = scrub(a.data)
		if a.code != "" {
			said = out
		}
		encoded, _ := json.Marshal(out) // plain values cannot fail
		status = plan.After(r.Context(), w, code, "application/json", encoded)
	}
}

// open checks the envelope in the order session, token, signature, clock and fills the call from the token (uapay.md 12).
func (t *Simulator) open(c *call, body object) *answer {
	token := body.text("token")
	claims, _ := parse(peek(token)) // nil when there is none
	c.params, c.data = body.object("params"), body.object("data")
	if c.params == nil {
		c.params = claims.object("params")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s, rejected := t.sessionOf(c)
	if rejected != nil {
		return rejected
	}
	if c.merchant = t.merchants[s.client]; c.merchant == nil {
		return rejectCall(CodeClientNotFound, "client is not known")
	}
	c.merchant = c.merchant.signing(token)
	if c.merchant.Key != "" {
		if rejected := t.openToken(c, body, token); rejected != nil {
			return rejected
		}
	}
	if c.endpoint != createSession && t.now().Sub(s.created) > ms(t.settings.SessionTTLMS) {
		return rejectCall(CodeSessionExpired, "session is over")
	}
	return nil
}

// createSession is the one endpoint that is called without a session.
const createSession = "sessions/create"

func rejectCall(code, msg string) *answer {
	a := reject(code, msg)
	return &a
}

// sessionOf is the session of a call, or one that is yet to be made for the client that asks for it.
func (t *Simulator) sessionOf(c *call) (session, *answer) {
	if c.endpoint == createSession {
		return session{client: c.params.text("clientId")}, c.check().need("params", "clientId").bad()
	}
	if bad := c.check().need("params", "sessionId").bad(); bad != nil {
		return session{}, bad
	}
	s, known := t.store.sessions.get(c.params.text("sessionId"))
	if !known {
		return s, rejectCall(CodeSessionNotFound, "session is not known")
	}
	return s, nil
}

// openToken checks the token and takes the call's params and data from it.
func (t *Simulator) openToken(c *call, body object, token string) *answer {
	if token == "" {
		return rejectCall(CodeTokenRequired, "token is required")
	}
	raw, err := verify(c.merchant.Key, token)
	if err != nil {
		return rejectCall(CodeSignature, "token is not valid")
	}
	claims, ok := parse(raw)
	if !ok {
		return rejectCall(CodeFormat, "claims must be one JSON object")
	}
	iat, ok := claims.seconds("iat")
	now := float64(t.cfg.Clock.Real().UnixMilli())/1000 + float64(t.settings.AnswerSkewS)
	if !ok || math.Abs(now-iat) > float64(t.settings.ClockWindowS) {
		return rejectCall(CodeTimeLimit, "iat is too far from now")
	}
	params, data := claims.object("params"), claims.object("data")
	differs := !same(c.params, params) || body.has("data") && !same(c.data, data)
	if differs && (t.settings.OuterMustMatch || params.text("sessionId") != c.params.text("sessionId") ||
		params.text("clientId") != c.params.text("clientId")) {
		return rejectCall(CodeTokenMismatch, "params or data differ from the token")
	}
	c.params, c.data = params, data
	return nil
}

// externalOf names the merchant's order of a request, for faults and the record.
func (t *Simulator) externalOf(c *call) string {
	for _, o := range []object{c.data, c.params} {
		if id := o.text("externalId"); id != "" {
			return id
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range []string{
		c.params.text("invoiceId"), c.params.text("paymentId"), c.params.text("id"), c.params.text("operationId"), c.data.text("invoiceId"),
	} {
		if o := t.store.orders[id]; o != nil {
			return o.ExternalID
		}
	}
	if list, _ := c.params.texts("externalIds"); len(list) == 1 {
		return list[0]
	}
	if list, _ := c.params.texts("ids"); len(list) == 1 && t.store.orders[list[0]] != nil {
		return t.store.orders[list[0]].ExternalID
	}
	return ""
}

// envelope puts an answer into the provider's form (uapay.md 3.2).
func (t *Simulator) envelope(c *call, a answer) (int, map[string]any) {
	s := t.Settings()
	if a.code != "" {
		e := map[string]any{"code": a.code}
		if a.msg != "" {
			e["message"] = a.msg
		}
		if len(a.fields) > 0 {
			e["fields"] = a.fields
		}
		out := map[string]any{"error": e}
		if s.ErrorWithStatus {
			out["status"] = 0
		}
		return s.ErrorStatus, out
	}
	out := map[string]any{"status": 1}
	if s.StringStatus {
		out["status"] = "1"
	}
	switch {
	case a.data == nil:
	case c.endpoint == createSession && s.SessionTopLevel:
		out["id"] = a.data["id"]
	case c.merchant.Key != "" && !s.UnsignedAnswers:
		claims := make(map[string]any, len(a.data)+1)
		for k, v := range a.data {
			claims[k] = v
		}
		if s.AnswerIAT {
			claims["iat"] = t.cfg.Clock.Real().Unix() + int64(s.AnswerSkewS)
		}
		raw, _ := json.Marshal(claims) // plain values cannot fail
		out["data"] = map[string]any{"token": Sign(c.merchant.Key, raw)}
	default:
		out["data"] = a.data
	}
	return http.StatusOK, out
}

func (t *Simulator) createSession(c *call) answer {
	id := newID()
	t.store.sessions.put(id, session{client: c.merchant.ClientID, created: t.now()})
	return answer{data: map[string]any{"id": id}}
}
