package tinypay

import (
	"context"
	"encoding/json"
	"net/http"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
)

// call sends one request and reads the answer about the order id. Whatever is not certain is KindUnknown, the zero kind.
func (g *Gateway) call(ctx context.Context, c transport.Call, id string, body any) (gateway.Result, error) {
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindInvalid, Op: c.Operation, Code: "encode"}
		}
		c.Body = data
	}
	c.URL = g.base + c.URL
	c.Header = http.Header{"Authorization": {"Bearer " + g.apiKey.Reveal()}, "Content-Type": {"application/json"}}
	resp, err := g.client.Do(ctx, c)
	if err != nil {
		return gateway.Result{}, err // KindNotSent or KindUnknown: the transport knows whether a byte was written
	}
	return read(c.Operation, resp, id)
}

// read makes a result or an error of an answer.
func read(op string, resp transport.Response, id string) (gateway.Result, error) {
	fail := func(kind gateway.ErrorKind, code string) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: kind, Op: op, Code: code}
	}
	var a answer
	switch {
	case resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden:
		return fail(gateway.KindCredentials, "")
	case !resp.Conclusive(): // a proxy, a limit, a broken server: the request may be carried out yet
		return fail(gateway.KindUnknown, "status")
	case json.Unmarshal(resp.Body, &a) != nil:
		return fail(gateway.KindUnknown, "not_json")
	case resp.Status == http.StatusNotFound && a.Error == "no_such_order": // the documented words, and no other 404
		return fail(gateway.KindNotFound, a.Error)
	case resp.Status == http.StatusUnprocessableEntity && a.Error == "not_possible":
		return fail(gateway.KindDeclined, a.Error)
	case resp.Status >= 300 || a.ID != id || a.State == "":
		return fail(gateway.KindUnknown, "not_understood")
	}
	return a.result(), nil
}
