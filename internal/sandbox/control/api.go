package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/names"
	"payrelay/internal/sandbox/record"
)

// Errors that have an HTTP status of their own; every other one is 400.
var (
	ErrUnknownOrder = errors.New("no such order; name it by its provider_order_id, not by payrelay's id") // 404
	ErrFinished     = errors.New("order is finished already")                                             // 409
)

const maxBody = 1 << 20

// SameOrigin rejects what a browser sends for a page of another origin.
func SameOrigin(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(next)
}

// Routes adds switches to the control API: /faults and /settings.
func Routes[S Validated](r chi.Router, s *Switches[S]) {
	r.Get("/faults", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, s.Faults()) })
	r.Post("/faults", Do(http.StatusCreated, func(_ string, f fault.Fault) (any, error) {
		id, err := s.AddFault(f)
		answer := map[string]string{"id": id}
		if w := s.waiting(f); w != "" {
			answer["warning"] = w
		}
		return answer, err
	}))
	r.Delete("/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		write(w, http.StatusOK, s.Faults())
	})
	r.Delete("/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !s.RemoveFault(chi.URLParam(r, "id")) {
			write(w, http.StatusNotFound, map[string]string{"error": "no such fault"})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	r.Get("/settings", s.showSettings)
	r.Post("/settings", func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = s.patch(raw)
		}
		if err != nil {
			problem(w, err)
			return
		}
		s.showSettings(w, r)
	})
	r.Delete("/settings", func(w http.ResponseWriter, r *http.Request) {
		_ = s.reset() // the defaults are valid
		s.showSettings(w, r)
	})
}

func (s *Switches[S]) showSettings(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, s.Settings())
}

// Orders answers the newest orders, as many as the query's limit says, or 100.
func Orders[O any](newest func(limit int) []O) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		write(w, http.StatusOK, map[string]any{"orders": newest(limit(r))})
	}
}

// Order answers everything about the order whose id the path names.
func Order[D any](find func(id string) (D, bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		d, ok := find(chi.URLParam(r, "id"))
		if !ok {
			problem(w, ErrUnknownOrder)
			return
		}
		write(w, http.StatusOK, d)
	}
}

// Requests answers the newest recorded requests, oldest first; the query may name an order_id and an endpoint.
func Requests(log *record.Log) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		order, endpoint := r.URL.Query().Get("order_id"), r.URL.Query().Get("endpoint")
		list := log.Last(limit(r), func(c *record.Request) bool {
			return (order == "" || c.OrderID == order) && (endpoint == "" || c.Endpoint == endpoint)
		})
		if list == nil {
			list = []record.Request{}
		}
		write(w, http.StatusOK, map[string]any{"requests": list})
	}
}

// Do reads a JSON object, hands it to do with the id that the path names, and answers what do returns, or nothing with
// status 204. An empty body is an empty object.
func Do[In any](status int, do func(id string, in In) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil && len(bytes.TrimSpace(raw)) > 0 {
			err = read(raw, &in)
		}
		if err != nil {
			problem(w, fmt.Errorf("read body: %w", err))
			return
		}
		out, err := do(chi.URLParam(r, "id"), in)
		switch {
		case err != nil:
			problem(w, err)
		case status == http.StatusNoContent:
			w.WriteHeader(status)
		default:
			write(w, status, out)
		}
	}
}

// Complete gives an order the outcome that the body names, and answers the order.
func Complete[O ~string, D any](complete func(id string, outcome O) error, find func(id string) (D, bool)) http.HandlerFunc {
	type input struct {
		Outcome O `json:"outcome"`
	}
	return Do(http.StatusOK, func(id string, in input) (any, error) {
		if err := complete(id, in.Outcome); err != nil {
			return nil, err
		}
		return shown(id, find)
	})
}

// CallbackSecret sets what the callbacks of one order are signed with.
func CallbackSecret(set func(orderID, secret string)) http.HandlerFunc {
	type input struct {
		OrderID string `json:"order_id"`
		Secret  string `json:"secret"`
	}
	return Do(http.StatusNoContent, func(_ string, in input) (any, error) {
		if in.OrderID == "" || in.Secret == "" {
			return nil, errors.New("order_id and secret are required")
		}
		set(in.OrderID, in.Secret)
		return nil, nil
	})
}

// MerchantSecret gives a merchant another secret, as its cabinet at the provider would.
func MerchantSecret(change func(merchant, secret string, overlap bool) error) http.HandlerFunc {
	type input struct {
		Merchant string `json:"merchant"`
		Secret   string `json:"secret"`
		// Overlap says that calls with the secret before are taken still, until the next change.
		Overlap bool `json:"overlap"`
	}
	return Do(http.StatusNoContent, func(_ string, in input) (any, error) {
		if in.Merchant == "" || in.Secret == "" {
			return nil, errors.New("merchant and secret are required")
		}
		return nil, change(in.Merchant, in.Secret, in.Overlap)
	})
}

// NoSuchCall answers what is not a call of the control API with the calls that are.
func NoSuchCall(calls chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var known []string
		for _, route := range calls.Routes() {
			known = append(known, route.Pattern)
		}
		slices.Sort(known)
		err := names.Check("control call", chi.RouteContext(r.Context()).RoutePath, known)
		write(w, http.StatusNotFound, map[string]string{"error": err.Error()})
	}
}

func write(w http.ResponseWriter, status int, v any) {
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
	case errors.Is(err, ErrFinished), errors.Is(err, ErrNotNow):
		status = http.StatusConflict
	}
	write(w, status, map[string]string{"error": err.Error()})
}

func limit(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || n <= 0 {
		return 100
	}
	return n
}
