package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

// authenticate finds the shop by its key. From here on the request has a call.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reject := func(detail string) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="payrelay"`)
			s.problem(w, r, problem{Status: http.StatusUnauthorized, Code: "unauthorized", Detail: detail})
		}
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		key = strings.TrimSpace(key)
		if len(r.Header.Values("Authorization")) != 1 || !strings.EqualFold(scheme, "Bearer") || key == "" || len(key) > 200 {
			reject("Send your shop's key in the header Authorization: Bearer KEY.")
			return
		}
		if s.RejectDemoKey && key == shop.DemoKey {
			reject("The demo key is for trying out only. Use your shop's own key.")
			return
		}
		p, err := s.Auth.Authenticate(r.Context(), shop.HashKey(key))
		switch {
		case payment.CodeOf(err) == payment.CodeNotFound:
			reject("This key is not known, or was revoked.")
			return
		case err != nil:
			s.fail(w, r, err)
			return
		}
		recordOf(r.Context()).shop = p.Shop.Name
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyCall, &call{principal: p})))
	})
}

// callbackAccount finds the account that a callback's address belongs to.
func (s *server) callbackAccount(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := s.CallbackAccount(r.Context(), chi.URLParam(r, "provider"), chi.URLParam(r, "token"))
		switch {
		case payment.CodeOf(err) == payment.CodeCallbackUnknown:
			s.problem(w, r, problem{Status: http.StatusNotFound, Code: "not_found", Detail: "This is no callback address."})
			return
		case err != nil:
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}
