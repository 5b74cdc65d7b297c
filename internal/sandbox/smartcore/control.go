package smartcore

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/record"
)

// controlRoutes is the JSON API for tests. Browsers of other origins are rejected.
func (t *Simulator) controlRoutes(root chi.Router) {
	root.Route("/control", func(r chi.Router) {
		r.Use(control.SameOrigin)
		r.Get("/orders", control.Orders(t.Orders))
		r.Get("/orders/{id}", control.Order(t.detail))
		r.Post("/orders/{id}/complete", control.Complete(t.Complete, t.detail))
		r.Post("/orders/{id}/later", control.Happen(t.Later, t.detail))
		r.Post("/orders/{id}/callback", control.Do(http.StatusAccepted, t.controlCallback))
		r.Get("/requests", control.Requests(t.calls))
		r.Post("/callback-secrets", control.CallbackSecret(t.SetCallbackSecret))
		control.HostRoutes(r, t.cfg.Hosts)
		r.Post("/merchant-secrets", control.MerchantSecret(t.ChangeSecret))
		control.Routes(r, t.switches)
		r.NotFound(control.NoSuchCall(r))
	})
}

// detail is everything about one order.
type detail struct {
	Order
	Refunds  []Order          `json:"refunds"`
	Requests []record.Request `json:"requests"`
}

func (t *Simulator) detail(id string) (detail, bool) {
	o, ok := t.Order(id)
	if !ok {
		return detail{}, false
	}
	d := detail{Order: o, Requests: t.Requests(o.OrderID)}
	if !o.Back() {
		d.Refunds = t.Refunds(id)
	}
	return d, true
}

func (t *Simulator) controlCallback(id string, in CallbackRequest) (any, error) {
	return map[string]string{"queued": in.Variant}, t.SendCallback(id, in)
}
