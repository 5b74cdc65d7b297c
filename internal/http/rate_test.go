package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/limit"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

// TestARateOfAKey holds that what is beyond a key's rate is refused and not kept, and concerns no other class or key.
func TestARateOfAKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.keys.rates = shop.Rates{shop.RateWrites: limit.Rate{Quota: 3, Window: 30 * time.Second}}
		create := func(key string) (status int, policy, left string) {
			w := b.send(t, http.MethodPost, "/v1/payments", with("amount", "1"), "Authorization", "Bearer "+key, "Idempotency-Key", "k1")
			if w.Code == http.StatusTooManyRequests {
				require.Equal(t, "rate_limited", readProblem(t, w).Code)
				wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
				require.NoError(t, err)
				require.Contains(t, []int{10, 11}, wait)
			}
			return w.Code, w.Header().Get("RateLimit-Policy"), w.Header().Get("RateLimit")
		}
		for _, want := range []string{`"writes";r=2;t=0`, `"writes";r=1;t=0`, `"writes";r=0;t=10`} {
			status, policy, left := create(goodKey)
			require.Equal(t, http.StatusCreated, status)
			require.Equal(t, `"writes";q=3;w=30`, policy)
			require.Equal(t, want, left)
		}
		count := b.count()
		status, policy, left := create(goodKey)
		require.Equal(t, []any{http.StatusTooManyRequests, `"writes";q=3;w=30`, `"writes";r=0;t=10`}, []any{status, policy, left})
		require.Equal(t, count, b.count(), "nothing was done")
		require.Contains(t, counters(t, b), "payrelay_http_rate_limited_total writes 1")

		w := b.send(t, http.MethodGet, "/v1/orders", "")
		require.Equal(t, []any{http.StatusOK, ""}, []any{w.Code, w.Header().Get("RateLimit")}, "reads have no rate")
		status, _, _ = create(otherKey)
		require.Equal(t, http.StatusCreated, status, "another key counts by itself")
		<-time.After(11 * time.Second)
		status, _, _ = create(goodKey)
		require.Equal(t, http.StatusCreated, status, "the same Idempotency-Key works when there is room again")
	})
}

// TestNothingHasARateByDefault sends more than any shop does in a moment.
func TestNothingHasARateByDefault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		for range 3000 {
			require.Equal(t, http.StatusOK, b.send(t, http.MethodGet, "/v1/orders", "").Code)
			require.Equal(t, http.StatusOK, b.send(t, http.MethodPost, "/v1/orders/"+orderID+"/refresh", "").Code)
		}
	})
}

func TestStatementsHaveARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		ask := func() int {
			return b.send(t, http.MethodPost, "/v1/statements", `{"account":"a","type":"payment","status":"succeeded","from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"}`).Code
		}
		for range 20 {
			require.Equal(t, http.StatusCreated, ask())
		}
		require.Equal(t, http.StatusTooManyRequests, ask())
		require.Equal(t, http.StatusOK, b.send(t, http.MethodPost, "/v1/orders/"+orderID+"/refresh", "").Code)
		<-time.After(24 * time.Hour)
		require.Equal(t, http.StatusCreated, ask())
	})
}

func TestCallbacksOfAnAccountHaveARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		taken := func(n int) (count int) {
			for range n {
				if w := b.send(t, http.MethodPost, "/callbacks/p/t", "x"); w.Code == http.StatusOK {
					count++
				} else {
					require.Equal(t, http.StatusTooManyRequests, w.Code)
					require.NotEmpty(t, w.Header().Get("Retry-After"))
				}
			}
			return count
		}
		require.Equal(t, 500, taken(600))
		<-time.After(time.Second)
		require.Equal(t, 100, taken(600))
	})
}

// A provider repeats what is answered with 503, and may give up what is answered with 403.
func TestACallbackOfAFrozenAccountIsToBeRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) {
		c.CallbackAccount = func(context.Context, string, string) (payment.Account, error) {
			return payment.Account{}, &payment.Error{Code: payment.CodeAccountFrozen, Message: "frozen"}
		}
	})
	res := b.send(t, http.MethodPost, "/callbacks/p/t", "x=1", "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusServiceUnavailable, res.Code, res.Body)
}
