package main

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A shop that charges in hryvnia uses the same request as one that charges in euro; the account decides.
func TestAHostedPaymentAtUAPAY(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for name, c := range map[string]struct{ card, status string }{
		"paid": {"4111111111111111", "succeeded"}, "refused": {"4000000000000002", "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := d.with(t)
			var o order
			res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"uah-%s","amount":1000,"currency":"UAH","description":"Socks",%s}`, name, customer), &o)
			require.Equal(t, http.StatusCreated, res.StatusCode)
			require.Equal(t, "requires_action", o.Status)
			d.pay(o.NextAction.URL, c.card, "")
			end := d.await(o.ID, c.status, 15*time.Second)
			require.Eventually(t, func() bool { return len(d.notified(o.ID)) == end.Sequence-1 }, 10*time.Second, 25*time.Millisecond)
		})
	}
}
