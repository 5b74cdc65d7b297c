package httpapi

import (
	"net/http"
	"runtime/debug"
)

// recover answers 500 to a panic. The panic's text may hold data and is not logged; where it happened is.
func (s *server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http asks for this very value
				panic(p)
			}
			s.Log.Error().Str("request_id", RequestID(r.Context())).Bytes("stack", debug.Stack()).Msg("panic")
			s.problem(w, r, problemOf(nil))
		}()
		next.ServeHTTP(w, r)
	})
}
