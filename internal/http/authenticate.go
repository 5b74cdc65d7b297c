package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/connlimit"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

// keyRefusals say what to do about a key that is refused.
var keyRefusals = map[shop.KeyReason]string{
	shop.KeyMalformed: "This is not a key: one begins with prk_live_ and has 70 characters. Send the whole key as it was given to you.",
	shop.KeyChecksum:  "This key was cut off or mistyped. Send the whole key as it was given to you.",
	shop.KeyUnknown:   "This key is not known. Ask the operators for a key.",
	shop.KeyAltered:   "This key cannot be used any more. Ask the operators for another key.",
	shop.KeyRevoked:   "This key was revoked. Ask the operators for a new key.",
	shop.KeyExpired:   "This key has expired. Ask the operators for a new key.",
	shop.KeyNetwork:   "This key may not be used from this address. Call from one of the networks that it is bound to, or ask the operators.",
}

// authenticate finds the shop by its key. From here on the request has a call.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reject := func(reason, id, detail string) {
			if s.brake(w, r, reason, id) {
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="payrelay"`)
			s.problem(w, r, problem{Status: http.StatusUnauthorized, Code: "unauthorized", Detail: detail})
		}
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		key = strings.TrimSpace(key)
		if len(r.Header.Values("Authorization")) != 1 || !strings.EqualFold(scheme, "Bearer") || key == "" || len(key) > 200 {
			reject(reasonMissing, "", "Send your shop's key in the header Authorization: Bearer KEY.")
			return
		}
		if s.RejectDemoKey && key == shop.DemoKey {
			reject(reasonUnknown, "", "The demo key is for trying out only. Use your shop's own key.")
			return
		}
		p, err := s.Auth.Authenticate(r.Context(), key, clientIP(r))
		if refused, ok := errors.AsType[*shop.KeyError](err); ok {
			if refused.Reason == shop.KeyDisabled {
				s.failures.counted.WithLabelValues(string(refused.Reason)).Inc()
				s.problem(w, r, problem{Status: http.StatusForbidden, Code: string(payment.CodeDisabled), Detail: "This key is switched off, and this request did nothing. Use another key of your shop, or ask the operators."})
				return
			}
			reject(string(refused.Reason), refused.ID, s.keyAdvice(key, refused.Reason))
			return
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if time.Until(p.ExpiresAt) < shop.ExpiryNotice && !p.ExpiresAt.IsZero() {
			w.Header().Set("Payrelay-Key-Expires", p.ExpiresAt.Format(time.RFC3339))
		}
		connlimit.Accepted(r.Context())
		rec := recordOf(r.Context())
		rec.shopID = p.Shop.ID
		rec.shop, rec.key, rec.caller = p.Shop.Name, p.KeyID, p.Shop.ID.String()+" "+p.KeyID
		ctx := context.WithValue(r.Context(), keyCall, &call{principal: p})
		next.ServeHTTP(w, r.WithContext(payment.WithKeyID(payment.WithMode(ctx, p.Mode), p.KeyID)))
	})
}

// keyAdvice says what to do about a key that is rejected.
func (s *server) keyAdvice(key string, reason shop.KeyReason) string {
	switch {
	case strings.HasPrefix(key, "whsec_"):
		return "This is the secret by which notifications are verified. Send your shop's key, which begins with prk_."
	case reason == shop.KeyMalformed && !s.RejectDemoKey:
		return keyRefusals[reason] + " The demo shop's key is " + shop.DemoKey + "."
	}
	return keyRefusals[reason]
}

// callbackAccount finds the account that a callback's address belongs to.
func (s *server) callbackAccount(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account, err := s.CallbackAccount(r.Context(), chi.URLParam(r, "provider"), chi.URLParam(r, "token"))
		switch {
		case payment.CodeOf(err) == payment.CodeCallbackUnknown:
			if s.brake(w, r, reasonCallback, "") {
				return
			}
			s.problem(w, r, problem{Status: http.StatusNotFound, Code: "not_found", Detail: "This is no callback address."})
			return
		case payment.CodeOf(err) == payment.CodeAccountFrozen: // the provider is to send it again until an operator has looked
			s.problem(w, r, problem{Status: http.StatusServiceUnavailable, Code: string(payment.CodeUnavailable), Detail: "This account takes no callbacks at the moment. Nothing was stored. Send the same callback later."})
			return
		case err != nil:
			s.fail(w, r, err)
			return
		}
		connlimit.Accepted(r.Context())
		rec := recordOf(r.Context())
		rec.account, rec.caller = account.Name, account.ID.String()
		next.ServeHTTP(w, r)
	})
}
