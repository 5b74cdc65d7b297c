package httpapi

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/payment"
)

// authorize finds the operation by the route that matched, and rejects a key without its scope. That comes first: a replay
// of an Idempotency-Key is an answer too. What the contract does not name is not there; a test holds that there is no such
// route.
func (s *server) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r.Context())
		c.operation = s.operations[r.Method+" "+chi.RouteContext(r.Context()).RoutePattern()]
		switch {
		case c.operation == nil:
			s.problem(w, r, problemOf(payment.ErrNotFound))
			return
		case !c.principal.May(c.operation.scope):
			s.failures.counted.WithLabelValues(reasonScope).Inc()
			s.problem(w, r, problem{Status: http.StatusForbidden, Code: "forbidden", Detail: "This key lacks the scope " + string(c.operation.scope) + ". Ask the operators for a key that has it."})
			return
		}
		next.ServeHTTP(w, r)
	})
}
