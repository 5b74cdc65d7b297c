package smartcore

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/gateway/transport"
	"payrelay/internal/money"
)

// Gateway is an account at SmartCore. It is safe for concurrent use.
type Gateway struct {
	client         *transport.Client
	bases          map[role]string
	account        string
	currency       money.Currency
	basic          string
	secrets        kit.Redactor
	callbackSecret []byte
	formHosts      []string
	tokenRole      role
	bankPayouts    bool
	partialCapture bool
}

var (
	_ gateway.Gateway                   = (*Gateway)(nil)
	_ gateway.Capturer                  = (*Gateway)(nil)
	_ gateway.Canceler                  = (*Gateway)(nil)
	_ gateway.Refunder                  = (*Gateway)(nil)
	_ gateway.Charger                   = (*Gateway)(nil)
	_ gateway.Holder                    = (*Gateway)(nil)
	_ gateway.Payer                     = (*Gateway)(nil)
	_ gateway.PayoutCardOpener          = (*Gateway)(nil)
	_ gateway.BalanceReader             = (*Gateway)(nil)
	_ gateway.TransactionReportExporter = (*Gateway)(nil)
)

// endpoint is one of the provider's operations.
type endpoint struct {
	op    string
	class transport.Class
	role  role
	path  string
}

var (
	initPayment  = endpoint{"initPayment", transport.ClassWrite, roleGateway, "/initPayment"}
	initDirect   = endpoint{"initPaymentHost2Host", transport.ClassWrite, rolePCI, "/initPaymentHost2Host"}
	authorize    = endpoint{"authorize", transport.ClassWrite, rolePCI, "/authorize"}
	capture      = endpoint{"capture", transport.ClassWrite, roleGateway, "/capture"}
	cancel       = endpoint{"cancel", transport.ClassWrite, roleGateway, "/cancel"}
	check        = endpoint{"check", transport.ClassRead, roleGateway, "/check"}
	refund       = endpoint{"refund", transport.ClassMoneyOut, roleGateway, "/refund"}
	recurrent    = endpoint{"recurrent", transport.ClassWrite, roleGateway, "/recurrent"}
	tokenizeForm = endpoint{"tokenizeForm", transport.ClassWrite, roleGateway, "/withdrawal/tokenize-form"}
	withdrawal   = endpoint{"withdrawal", transport.ClassMoneyOut, roleGateway, "/withdrawal/init"}
	balance      = endpoint{"balance", transport.ClassLookup, roleGateway, "/withdrawal/balance/get"}
	exportCreate = endpoint{"exportCreate", transport.ClassReport, roleReporting, "/aggregation-service/public/transaction/excel"}
	exportStatus = endpoint{"exportStatus", transport.ClassReport, roleReporting, "/aggregation-service/public/transaction/excel/task/"}
	exportResult = endpoint{"exportResult", transport.ClassReport, roleReporting, "/aggregation-service/public/transaction/excel/task/"}
)

// HeldBack implements gateway.Holder.
func (g *Gateway) HeldBack(ref gateway.Ref) time.Duration {
	e := commanding(ref)
	return g.client.HeldBack(transport.Call{Operation: e.op, Class: e.class, URL: g.url(e)})
}

// url is where the account calls e.
func (g *Gateway) url(e endpoint) string { return g.bases[e.role] + e.path }

// commanding is the operation by which an order is begun, captured or canceled.
func commanding(ref gateway.Ref) endpoint {
	switch {
	case ref.Operation == gateway.OpCapture:
		return capture
	case ref.Operation == gateway.OpCancel:
		return cancel
	case ref.Kind == gateway.KindRefund:
		return refund
	case ref.Kind == gateway.KindPayout:
		return withdrawal
	case ref.Kind == gateway.KindPayoutCard:
		return tokenizeForm
	case ref.Parent != nil:
		return recurrent
	case ref.Flow != gateway.FlowDirect:
		return initPayment
	case ref.Operation == gateway.OpAuthorize:
		return authorize
	}
	return initDirect
}

// largestReport bounds a transaction list, in bytes.
const largestReport = 64 << 20

// reply is an answer with what belongs to it.
type reply struct {
	answer
	providerData gateway.ProviderData
	hide         kit.Redactor
}

// err makes an error out of what the provider said.
func (r reply) err(kind gateway.ErrorKind, e endpoint, code string) *gateway.Error {
	return &gateway.Error{Kind: kind, Op: e.op, Code: r.hide.Text(code), ProviderData: r.providerData}
}

// post sends body to e and reads the answer. hide lists what the body holds that no text may repeat.
func (g *Gateway) post(ctx context.Context, e endpoint, body any, hide ...string) (reply, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return reply{}, &gateway.Error{Kind: gateway.KindInvalid, Op: e.op, Code: "encode"}
	}
	return g.ask(ctx, e, transport.Call{Method: http.MethodPost, URL: g.url(e), Body: data}, hide...)
}

// ask sends call and sorts what comes back by smartcore.md 2: rejected credentials, an answer, or an unknown outcome. The
// HTTP status of errors is not documented, so a 4xx of a working API is read like 200. Of other answers only a taken order
// id is believed, which ends no order.
func (g *Gateway) ask(ctx context.Context, e endpoint, call transport.Call, hide ...string) (reply, error) {
	resp, err := g.send(ctx, e, call)
	if err != nil {
		return reply{}, err
	}
	status := kit.StatusData(resp.Status)
	a, err := parseAnswer(resp.Body)
	switch {
	case resp.Conclusive():
	case err == nil && a.says(codeDuplicate):
		return reply{}, &gateway.Error{Kind: gateway.KindDuplicate, Op: e.op, Code: codeDuplicate, ProviderData: status}
	default:
		return reply{}, &gateway.Error{Kind: gateway.KindUnknown, Op: e.op, Code: kit.StatusCode(resp.Status), ProviderData: status}
	}
	if err != nil {
		return reply{}, &gateway.Error{Kind: gateway.KindUnknown, Op: e.op, Code: "unreadable_answer", Err: err, ProviderData: status}
	}
	r := reply{answer: a, hide: append(append(kit.Redactor{}, g.secrets...), hide...)}
	r.providerData = a.providerData(r.hide)
	r.providerData["http_status"] = strconv.Itoa(resp.Status)
	return r, nil
}

// send sends call with the account's credentials. Rejected credentials and broken servers are errors.
func (g *Gateway) send(ctx context.Context, e endpoint, call transport.Call) (transport.Response, error) {
	call.Operation, call.Class, call.Role = e.op, e.class, string(e.role)
	if e.class == transport.ClassLookup || e.class == transport.ClassReport {
		call.Scope = g.account // one account may not have it, such as a balance without payouts
	}
	call.Header = http.Header{
		"Authorization": {g.basic},
		"Content-Type":  {"application/json"}, // on every request, GET included (smartcore.md 2)
		"Accept":        {"application/json, */*;q=0.5"},
		"User-Agent":    {"payrelay"},
	}
	resp, err := g.client.Do(ctx, call)
	if err != nil {
		return resp, err
	}
	code, data := kit.StatusCode(resp.Status), kit.StatusData(resp.Status)
	switch {
	case resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden:
		return resp, &gateway.Error{
			Kind: gateway.KindCredentials, Op: e.op, Code: code, ProviderData: data, Err: kit.ErrCredentials,
		}
	case resp.Status >= 500:
		return resp, &gateway.Error{Kind: gateway.KindUnknown, Op: e.op, Code: code, ProviderData: data}
	}
	return resp, nil
}
