package uapay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
)

// controlRoutes is the JSON API for tests. Browsers of other origins are refused.
func (t *Twin) controlRoutes(root chi.Router) {
	root.Route("/control", func(r chi.Router) {
		r.Use(sameOrigin)
		r.Get("/orders", t.controlOrders)
		r.Get("/orders/{id}", t.controlOrder)
		r.Post("/orders/{id}/complete", t.controlComplete)
		r.Post("/orders/{id}/callback", t.controlCallback)
		r.Post("/orders/{id}/reverse", t.controlReverse)
		r.Post("/cards", t.controlCard)
		r.Get("/requests", t.controlRequests)
		r.Get("/faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, t.Faults()) })
		r.Post("/faults", t.controlAddFault)
		r.Delete("/faults", func(w http.ResponseWriter, _ *http.Request) {
			t.ClearFaults()
			writeJSON(w, http.StatusOK, t.Faults())
		})
		r.Delete("/faults/{id}", t.controlRemoveFault)
		r.Get("/settings", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, t.Settings()) })
		r.Post("/settings", t.controlSettings)
		r.Delete("/settings", t.controlResetSettings)
		r.Post("/callback-secrets", t.controlKey)
		r.Post("/sessions/expire", func(w http.ResponseWriter, _ *http.Request) {
			t.ExpireSessions()
			w.WriteHeader(http.StatusNoContent)
		})
	})
}

func sameOrigin(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(next)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the caller is gone
}

func problem(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, ErrUnknownOrder):
		status = http.StatusNotFound
	case errors.Is(err, ErrFinished):
		status = http.StatusConflict
	}
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		problem(w, fmt.Errorf("read body: %w", err))
		return false
	}
	return true
}

func limit(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || n <= 0 {
		return 100
	}
	return n
}

func (t *Twin) controlOrders(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"orders": t.Orders(limit(r))})
}

// detail is everything about one order.
type detail struct {
	Order
	State    string           `json:"state"`
	Requests []record.Request `json:"requests"`
}

func (t *Twin) detail(id string) (detail, bool) {
	o, ok := t.Order(id)
	if !ok {
		return detail{}, false
	}
	return detail{Order: o, State: o.Word(), Requests: t.Requests(o.ExternalID)}, true
}

func (t *Twin) controlOrder(w http.ResponseWriter, r *http.Request) {
	d, ok := t.detail(chi.URLParam(r, "id"))
	if !ok {
		problem(w, ErrUnknownOrder)
		return
	}
	writeJSON(w, http.StatusOK, d)
}

func (t *Twin) controlComplete(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Outcome Outcome `json:"outcome"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if err := t.Complete(chi.URLParam(r, "id"), in.Outcome); err != nil {
		problem(w, err)
		return
	}
	t.controlOrder(w, r)
}

// controlReverse refunds as the merchant would in the provider's own cabinet: a part by amount, else what is left.
func (t *Twin) controlReverse(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Amount int64 `json:"amount"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if err := t.Reverse(chi.URLParam(r, "id"), in.Amount); err != nil {
		problem(w, err)
		return
	}
	t.controlOrder(w, r)
}

// controlCard keeps a card as the card frame would, and answers its id.
func (t *Twin) controlCard(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClientID string `json:"client_id"`
		Number   string `json:"number"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	card, err := t.KeepCard(in.ClientID, in.Number)
	if err != nil {
		problem(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, card)
}

func (t *Twin) controlCallback(w http.ResponseWriter, r *http.Request) {
	var in CallbackRequest
	if !readJSON(w, r, &in) {
		return
	}
	if err := t.SendCallback(chi.URLParam(r, "id"), in); err != nil {
		problem(w, err)
		return
	}
	writeJSON(w, http.StatusAccepted, map[string]string{"queued": in.Variant})
}

func (t *Twin) controlRequests(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list := t.calls.Last(limit(r), func(c *record.Request) bool {
		return (q.Get("order_id") == "" || c.OrderID == q.Get("order_id")) && (q.Get("endpoint") == "" || c.Endpoint == q.Get("endpoint"))
	})
	if list == nil {
		list = []record.Request{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"requests": list})
}

func (t *Twin) controlAddFault(w http.ResponseWriter, r *http.Request) {
	var in fault.Fault
	if !readJSON(w, r, &in) {
		return
	}
	id, err := t.AddFault(in)
	if err != nil {
		problem(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, map[string]string{"id": id})
}

func (t *Twin) controlRemoveFault(w http.ResponseWriter, r *http.Request) {
	if !t.RemoveFault(chi.URLParam(r, "id")) {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "no such fault"})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// controlSettings changes the fields that the body names and leaves the rest.
func (t *Twin) controlSettings(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = t.patchSettings(raw)
	}
	if err != nil {
		problem(w, err)
		return
	}
	writeJSON(w, http.StatusOK, t.Settings())
}

func (t *Twin) patchSettings(raw []byte) error {
	var failed error
	err := t.UpdateSettings(func(s *Settings) {
		next := *s
		// Lists are replaced, not written into: the old ones may be in use.
		next.Rules, next.CallbackRetryMS = nil, nil
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if failed = dec.Decode(&next); failed != nil {
			return
		}
		if next.Rules == nil {
			next.Rules = s.Rules
		}
		if next.CallbackRetryMS == nil {
			next.CallbackRetryMS = s.CallbackRetryMS
		}
		*s = next
	})
	if failed != nil {
		return fmt.Errorf("read settings: %w", failed)
	}
	return err
}

func (t *Twin) controlResetSettings(w http.ResponseWriter, _ *http.Request) {
	_ = t.UpdateSettings(func(s *Settings) { *s = DefaultSettings() }) // the defaults are valid
	writeJSON(w, http.StatusOK, t.Settings())
}

func (t *Twin) controlKey(w http.ResponseWriter, r *http.Request) {
	var in struct {
		OrderID string `json:"order_id"`
		Secret  string `json:"secret"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	if in.OrderID == "" || in.Secret == "" {
		problem(w, errors.New("order_id and secret are required"))
		return
	}
	t.SetCallbackKey(in.OrderID, in.Secret)
	w.WriteHeader(http.StatusNoContent)
}
