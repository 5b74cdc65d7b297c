package httpapi

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"payrelay/internal/limit"
	"payrelay/internal/shop"
)

// rateClass is the kind of requests that a request is counted among.
func rateClass(r *http.Request) shop.RateClass {
	switch {
	case r.Method != http.MethodPost:
		return shop.RateReads
	case r.URL.Path == "/v1/statements":
		return shop.RateStatements
	}
	return shop.RateWrites
}

// rate counts a request of a key, and answers it with 429 if the key has used up its rate. Counted is in this replica's memory.
func (s *server) rate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		class := rateClass(r)
		rate, limited := principal(r.Context()).Rates.Of(class)
		if !limited {
			next.ServeHTTP(w, r)
			return
		}
		left := s.rates.Take(string(class)+" "+recordOf(r.Context()).caller, rate)
		w.Header().Set("RateLimit-Policy", fmt.Sprintf(`"%s";q=%d;w=%d`, class, rate.Quota, seconds(rate.Window)))
		w.Header().Set("RateLimit", fmt.Sprintf(`"%s";r=%d;t=%d`, class, left.Remaining, seconds(left.Next)))
		if !left.Allowed {
			s.tooOften(w, r, string(class), left, fmt.Sprintf("Your key may send %d %s in %s.", rate.Quota, class, inWords(rate.Window)))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// inWords is a window as people say it.
func inWords(window time.Duration) string {
	if window == time.Second {
		return "a second"
	}
	return fmt.Sprintf("%.0f seconds", window.Seconds())
}

// rateOfCallbacks counts a callback of an account. What is beyond the rate, the provider sends again, or is asked.
func (s *server) rateOfCallbacks(next http.Handler) http.Handler {
	const burst = 5 // seconds
	rate := limit.Rate{Quota: burst * s.CallbackRate, Window: burst * time.Second}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if left := s.rates.Take("callbacks "+recordOf(r.Context()).caller, rate); !left.Allowed {
			s.tooOften(w, r, "callbacks", left, "More callbacks of this account come than are taken.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// codeRateLimited is the code of every 429.
const codeRateLimited = "rate_limited"

// tooOften answers a request that a rate does not allow. Those who wait come back at slightly different times.
func (s *server) tooOften(w http.ResponseWriter, r *http.Request, class string, left limit.Left, rule string) {
	recordOf(r.Context()).counted = true
	s.metrics.limited.WithLabelValues(class).Inc()
	jitter := time.Duration(rand.Int64N(int64(time.Second))) //nolint:gosec // no secret
	s.problem(w, r, problem{
		Status: http.StatusTooManyRequests, Code: codeRateLimited, RetryAfter: seconds(left.Next + jitter),
		Detail: rule + nothingDone(r.Method) + " Send the request again after Retry-After seconds.",
	})
}
