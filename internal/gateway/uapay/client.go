package uapay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/gateway/transport"
)

// Gateway is an account at UAPAY. It is safe for concurrent use.
type Gateway struct {
	client         *transport.Client
	base           string
	clientID       string
	key            []byte
	secrets        kit.Redactor
	requireSigned  bool
	c2a            bool // direct payments go by the engine of split payments
	partialCapture bool // captures of a part of a hold are sent
	now            func() time.Time
	// pause is how long a new payment is given to say what its payer must do (uapay.md 8.2).
	pause    time.Duration
	sessions *sessions
}

var (
	_ gateway.Gateway          = (*Gateway)(nil)
	_ gateway.Capturer         = (*Gateway)(nil)
	_ gateway.Canceler         = (*Gateway)(nil)
	_ gateway.Refunder         = (*Gateway)(nil)
	_ gateway.CodeConfirmer    = (*Gateway)(nil)
	_ gateway.Holder           = (*Gateway)(nil)
	_ gateway.ScheduleEnder    = (*Gateway)(nil)
	_ gateway.AnswerVerifier   = (*Gateway)(nil)
	_ gateway.Varied           = (*Gateway)(nil)
	_ gateway.Payer            = (*Gateway)(nil)
	_ gateway.Transferrer      = (*Gateway)(nil)
	_ gateway.TransferImporter = (*Gateway)(nil)
)

// endpoint is one of the provider's methods.
type endpoint struct {
	op    string
	class transport.Class
	path  string
	// harmless says that the call itself moves no money: an answer of error proves that nothing happened.
	harmless bool
	// declines, if not nil, reports whether an error code proves that nothing happened, although the call may move money.
	declines func(code string) bool
	// bare says that the answer has no data to be signed (payments/confirm, uapay.md 4.2).
	bare bool
}

var (
	sessionsCreate  = endpoint{op: "sessionsCreate", class: transport.ClassSession, path: "sessions/create", harmless: true}
	invoicesCreate  = endpoint{op: "invoicesCreate", class: transport.ClassWrite, path: "invoicer/invoices/create", harmless: true}
	invoicesShow    = endpoint{op: "invoicesShow", class: transport.ClassRead, path: "invoicer/invoices/show"}
	invoicesList    = endpoint{op: "invoicesShowList", class: transport.ClassRead, path: "invoicer/invoices/show/list"}
	paymentsCreate  = endpoint{op: "paymentsCreate", class: transport.ClassWrite, path: "invoicer/payments/create", declines: absent}
	paymentsCheck   = endpoint{op: "paymentsCheckStatus", class: transport.ClassRead, path: "invoicer/payments/checkStatus"}
	paymentsShow    = endpoint{op: "paymentsShow", class: transport.ClassRead, path: "invoicer/payments/show"}
	paymentsConfirm = endpoint{op: "paymentsConfirm", class: transport.ClassWrite, path: "invoicer/payments/confirm", bare: true}
	paymentsDone    = endpoint{op: "paymentsComplete", class: transport.ClassWrite, path: "invoicer/payments/complete"}
	paymentsCancel  = endpoint{op: "paymentsCancel", class: transport.ClassWrite, path: "invoicer/payments/cancel"}
	paymentsReverse = endpoint{op: "paymentsReverse", class: transport.ClassMoneyOut, path: "invoicer/payments/reverse", declines: declineOf}

	p2pCreate   = endpoint{op: "p2pDirectCreate", class: transport.ClassMoneyOut, path: "payments/p2p/direct/create", declines: absent}
	p2pShow     = endpoint{op: "p2pShow", class: transport.ClassRead, path: "payments/p2p/show"}
	p2pList     = endpoint{op: "p2pShowList", class: transport.ClassRead, path: "payments/p2p/show/list"}
	p2pConfirm  = endpoint{op: "p2pConfirm", class: transport.ClassMoneyOut, path: "payments/p2p/confirm", bare: true}
	splitShow   = endpoint{op: "p2pPaymentsShow", class: transport.ClassRead, path: "p2p/payments/show"}
	splitImport = endpoint{op: splitShow.op, class: transport.ClassLookup, path: splitShow.path, harmless: true} // no order hangs on what it answers
	a2cInitiate = endpoint{op: "a2cInitiate", class: transport.ClassMoneyOut, path: "p2p/payments/a2c/initiate", harmless: true}
	a2cComplete = endpoint{op: "a2cComplete", class: transport.ClassMoneyOut, path: "p2p/payments/a2c/complete"}
	a2cCancel   = endpoint{op: "a2cCancel", class: transport.ClassWrite, path: "p2p/payments/a2c/cancel"}

	c2aInitiate     = endpoint{op: "c2aInitiate", class: transport.ClassWrite, path: "p2p/payments/c2a/initiate", harmless: true}
	c2aComplete     = endpoint{op: "c2aComplete", class: transport.ClassWrite, path: "p2p/payments/c2a/complete", declines: absent}
	c2aCancel       = endpoint{op: "c2aCancel", class: transport.ClassWrite, path: "p2p/payments/c2a/cancel"}
	reverseInitiate = endpoint{op: "c2aReverseInitiate", class: transport.ClassMoneyOut, path: "p2p/payments/c2a/reverse/initiate", harmless: true}
	reverseComplete = endpoint{op: "c2aReverseComplete", class: transport.ClassMoneyOut, path: "p2p/payments/c2a/reverse/complete"}
	reverseCancel   = endpoint{op: "c2aReverseCancel", class: transport.ClassWrite, path: "p2p/payments/c2a/reverse/cancel"}

	subscriptionsUpdate = endpoint{op: "subscriptionsUpdate", class: transport.ClassWrite, path: "invoicer/subscriptions/update", harmless: true}

	invoicesCancel = endpoint{op: "invoicesCancel", class: transport.ClassWrite, path: "invoicer/invoices/cancel"}
)

// HeldBack implements gateway.Holder. Every call needs a session, and some orders take two calls.
func (g *Gateway) HeldBack(ref gateway.Ref) (wait time.Duration) {
	for _, e := range append([]endpoint{sessionsCreate}, g.commanding(ref)...) {
		wait = max(wait, g.client.HeldBack(transport.Call{Operation: e.op, Class: e.class, Scope: g.scope(e), URL: g.url(e)}))
	}
	return wait
}

// VerifiesAnswers implements gateway.AnswerVerifier.
func (g *Gateway) VerifiesAnswers() bool { return g.requireSigned }

// url is where the merchant calls e.
func (g *Gateway) url(e endpoint) string { return g.base + "/api/" + e.path }

// commanding are the methods by which an order is begun, captured or canceled.
func (g *Gateway) commanding(ref gateway.Ref) []endpoint {
	switch {
	case ref.Operation == gateway.OpCapture:
		return []endpoint{paymentsDone}
	case ref.Operation == gateway.OpCancel && bySplit(ref):
		return []endpoint{c2aCancel}
	case ref.Operation == gateway.OpCancel && recall(ref, statePayment) == "":
		return []endpoint{invoicesShow} // which tells what is to be canceled
	case ref.Operation == gateway.OpCancel:
		return []endpoint{paymentsCancel}
	case ref.Kind == gateway.KindRefund && ref.Parent != nil && bySplit(*ref.Parent):
		return []endpoint{reverseInitiate, reverseComplete}
	case ref.Kind == gateway.KindRefund:
		return []endpoint{paymentsShow, paymentsReverse}
	case ref.Kind == gateway.KindPayout:
		return []endpoint{a2cInitiate, a2cComplete}
	case ref.Kind == gateway.KindTransfer:
		return []endpoint{p2pCreate}
	case ref.Flow != gateway.FlowDirect:
		return []endpoint{invoicesCreate}
	case g.c2a:
		return []endpoint{c2aInitiate, c2aComplete}
	}
	return []endpoint{invoicesCreate, paymentsCreate}
}

// scope keeps what one merchant may not have, such as a session without the right key, from holding others back.
func (g *Gateway) scope(e endpoint) string {
	if e.class == transport.ClassLookup || e.class == transport.ClassSession {
		return g.clientID
	}
	return ""
}

// reply is an answer with what belongs to it.
type reply struct {
	answer
	providerData gateway.ProviderData
	hide         kit.Redactor
	// reported says that a working server answered with an error whose code proves nothing.
	reported bool
}

// err makes an error out of what the provider said.
func (r reply) err(kind gateway.ErrorKind, e endpoint, code string) *gateway.Error {
	return &gateway.Error{Kind: kind, Op: e.op, Code: code, ProviderData: r.providerData}
}

// call makes a call within the session. If the provider proves that it did not know the session, and so did nothing, a
// new one is made and the call repeated, once. hide lists what the call holds that no text may repeat.
func (g *Gateway) call(ctx context.Context, e endpoint, params sessionUser, data any, hide ...string) (reply, error) {
	spent := 0
	for {
		id, number, err := g.session(ctx, spent)
		if err != nil {
			return reply{}, err
		}
		params.use(id)
		r, err := g.send(ctx, e, params, data, append(kit.Redactor{id}, hide...))
		if spent != 0 || !errors.Is(err, errSession) {
			return r, err
		}
		spent = number
	}
}

// send signs and sends one call and sorts what comes back.
func (g *Gateway) send(ctx context.Context, e endpoint, params, data any, hide kit.Redactor) (reply, error) {
	body, err := sealRequest(g.key, params, data, g.now().Unix())
	if err != nil {
		return reply{}, &gateway.Error{Kind: gateway.KindInvalid, Op: e.op, Code: "encode"}
	}
	resp, err := g.client.Do(ctx, transport.Call{
		Operation: e.op, Class: e.class, Scope: g.scope(e), Role: "api", Method: http.MethodPost, URL: g.url(e), Body: body,
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"payrelay"}},
	})
	if err != nil {
		return reply{}, err
	}
	return g.read(e, resp, append(append(kit.Redactor{}, g.secrets...), hide...))
}

// read sorts an answer by uapay.md 3.2: the body first, whatever the HTTP status, which only decides where the body says
// nothing, and makes a failure unknown that no working server told.
func (g *Gateway) read(e endpoint, resp transport.Response, hide kit.Redactor) (reply, error) {
	status := kit.StatusCode(resp.Status)
	r := reply{hide: hide, providerData: kit.StatusData(resp.Status)}
	env, err := parseEnvelope(resp.Body)
	broken := !resp.Conclusive()
	switch {
	case env.fault != nil:
		err := r.failure(e, *env.fault, resp.Status, broken)
		r.reported = !broken && err.Kind == gateway.KindUnknown
		return r, err
	case broken:
		return r, r.err(gateway.KindUnknown, e, status)
	case resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden:
		return r, r.invalidCredentials(e, status)
	case resp.Status >= 300:
		return r, r.err(gateway.KindUnknown, e, status)
	case err != nil:
		return r, r.err(gateway.KindUnknown, e, "unreadable_answer")
	case env.Status != "1":
		return r, r.err(gateway.KindUnknown, e, "no_status")
	}
	data, code := g.verified(e, env)
	if code != "" {
		return r, r.err(gateway.KindUnknown, e, code)
	}
	if len(data) > 0 && json.Unmarshal(data, &r.answer) != nil {
		r.answer = answer{}
		return r, r.err(gateway.KindUnknown, e, "unreadable_answer")
	}
	r.providerData["status"] = "1"
	r.addProviderData(r.providerData, r.hide)
	return r, nil
}

// verified returns an answer's data: the claims of its token, whose signature must hold (uapay.md 4.2), or plain data
// if the account does not insist on signatures. code says what is wrong.
func (g *Gateway) verified(e endpoint, env envelope) (data []byte, code string) {
	var sealed struct {
		Token *string `json:"token"`
	}
	plain := bytes.TrimSpace(env.Data)
	if len(plain) > 0 && plain[0] == '{' {
		_ = json.Unmarshal(plain, &sealed)
	}
	if sealed.Token != nil {
		claims, err := openToken(g.key, *sealed.Token)
		if err != nil {
			return nil, codeSignature
		}
		return claims, ""
	}
	switch {
	case e.bare:
		return nil, "" // nothing in it is read
	case g.requireSigned:
		return nil, codeUnsigned
	case len(plain) > 0 && plain[0] == '{':
		return plain, ""
	case env.ID != "" && len(plain) == 0:
		return encodeID(env.ID), "" // a session at top level (uapay.md 3.2)
	}
	return nil, "unreadable_answer"
}

// The codes of answers whose signature is missing or does not hold.
const (
	codeUnsigned  = "unsigned_answer"
	codeSignature = "bad_signature"
)

func encodeID(id text) []byte {
	data, _ := json.Marshal(map[string]string{"id": string(id)})
	return data
}
