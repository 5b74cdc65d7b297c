package uapay

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
		r.Post("/cards", control.Do(http.StatusCreated, t.controlCard))
		r.Get("/requests", control.Requests(t.calls))
		r.Post("/callback-secrets", control.CallbackSecret(t.SetCallbackKey))
		r.Post("/merchant-secrets", control.MerchantSecret(t.ChangeKey))
		r.Post("/sessions/expire", func(w http.ResponseWriter, _ *http.Request) {
			t.ExpireSessions()
			w.WriteHeader(http.StatusNoContent)
		})
		control.HostRoutes(r, t.cfg.Hosts)
		control.Routes(r, t.switches)
		r.NotFound(control.NoSuchCall(r))
	})
}

// detail is everything about one order.
type detail struct {
	Order
	State    string           `json:"state"`
	Requests []record.Request `json:"requests"`
}

func (t *Simulator) detail(id string) (detail, bool) {
	o, ok := t.Order(id)
	if !ok {
		return detail{}, false
	}
	return detail{Order: o, State: o.Word(), Requests: t.Requests(o.ExternalID)}, true
}

func (t *Simulator) controlCallback(id string, in CallbackRequest) (any, error) {
	return map[string]string{"queued": in.Variant}, t.SendCallback(id, in)
}

type saveCard struct {
	ClientID string `json:"client_id"`
	Number   string `json:"number"`
}

// controlCard keeps a card as the card frame would, and answers its id.
func (t *Simulator) controlCard(_ string, in saveCard) (any, error) {
	return t.SaveCard(in.ClientID, in.Number)
}
