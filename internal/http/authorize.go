package httpapi

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/shop"
)

// disabled refuses a request of a shop or key that is switched off.
func disabled(detail string) problem {
	return problem{Status: http.StatusForbidden, Code: "disabled", Detail: detail}
}

// authorize finds the operation by the route that matched, and rejects a key without its scope, and one that is switched off. That comes first: a replay
// of an Idempotency-Key is an answer too. What the contract does not name is not there; a test holds that there is no such
// route.
func (s *server) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r.Context())
		c.operation = s.operations[r.Method+" "+chi.RouteContext(r.Context()).RoutePattern()]
		switch {
		case c.operation == nil:
			s.problem(w, r, notFound)
			return
		case !c.principal.May(c.operation.scope):
			s.failures.counted.WithLabelValues(reasonScope).Inc()
			s.problem(w, r, problem{Status: http.StatusForbidden, Code: "forbidden", Detail: "This key lacks the scope " + string(c.operation.scope) + ". Ask the operators for a key that has it."})
			return
		case c.operation.money == moneyBegins && c.principal.Mode == shop.ModeDrain:
			s.problem(w, r, disabled("This shop or key begins nothing new at the moment. Nothing was stored or sent. What has begun goes on, and can be captured, canceled and refunded. Ask the operators."))
			return
		case c.operation.money != "" && c.principal.Mode == shop.ModeOff:
			s.problem(w, r, disabled("This shop is switched off. Nothing was stored or sent. Orders can be read. Ask the operators."))
			return
		}
		next.ServeHTTP(w, r)
	})
}
