package e2e

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// An address that answers 410 is switched off, and no other. What was held back is sent in order once an operator resumes.
func TestA410SwitchesOffOnlyTheAddressThatSaidIt(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	d := startDev(t)
	gone := e.URL + "/gone"
	e.answers(func(path string) int {
		if path == "/gone" {
			return http.StatusGone
		}
		return http.StatusOK
	})
	first := d.createTo("gone-1", gone)
	eventually(t, func() bool { s := d.stand(first.ID); return len(s) == 1 && s[0].State == "held" })
	second := d.createTo("gone-2", gone)
	for _, o := range []order{first, second} {
		d.pay(o.NextAction.URL, cardSuccess, "")
		d.await(o.ID, "succeeded")
	}

	own := d.createTo("own", e.URL+"/another")
	eventually(t, func() bool { return len(e.of(own.ID)) > 0 })
	plain := d.create("plain")
	eventually(t, func() bool { return len(d.arrivals(plain.ID)) > 0 })
	list := d.operator("shop", "list")
	require.Contains(t, list, gone)
	for line := range strings.Lines(list) {
		if strings.Contains(line, "answered 410") { // a port may hold the digits
			require.Contains(t, line, gone)
			require.NotContains(t, line, d.ShopPage, "the shop's own address did not say 410")
		}
	}
	eventually(t, func() bool { s := d.stand(second.ID); return s[0].State == "held" })
	require.Empty(t, e.of(first.ID))
	require.Empty(t, e.of(second.ID))

	e.answers(func(string) int { return http.StatusOK })
	d.operator("shop", "set", "demo", "--resume")
	for _, id := range []string{first.ID, second.ID} {
		sequence := d.get(id).Sequence
		eventually(t, func() bool { return len(e.of(id)) >= sequence-1 })
		inOrder(t, e.of(id), sequence)
	}
	require.NotContains(t, d.operator("shop", "list"), "answered 410")
	third := d.createTo("gone-3", gone)
	eventually(t, func() bool { return len(e.of(third.ID)) > 0 })
}

// When an endpoint is back after an outage, its first success brings what waits for it.
func TestAfterAnOutageTheFirstSuccessBringsWhatWaits(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	d := startDevWith(t, storetest.URL(t), nil, "--notify", e.URL+"/hook")
	e.answers(func(string) int { return http.StatusServiceUnavailable })
	var waiting []order
	for i := range 6 {
		waiting = append(waiting, d.create("waits-"+strconv.Itoa(i)))
	}
	// After the second failure each waits for 24 s at least.
	for _, o := range waiting {
		eventually(t, func() bool { s := d.stand(o.ID); return len(s) > 0 && s[0].Attempts >= 2 })
	}
	e.answers(func(string) int { return http.StatusOK })
	back := d.create("back")
	eventually(t, func() bool { return len(e.of(back.ID)) > 0 })
	first := e.of(back.ID)[0].At
	for _, o := range waiting {
		eventually(t, func() bool { return len(e.of(o.ID)) > 0 })
		require.Less(t, e.of(o.ID)[0].At.Sub(first), 15*time.Second)
	}
}
