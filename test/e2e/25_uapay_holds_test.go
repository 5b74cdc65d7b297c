package e2e

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHoldsAtUAPAY(t *testing.T) {
	t.Parallel()
	const complete, cancel = "invoicer/payments/complete", "invoicer/payments/cancel"
	d := startUAPAY(t, allConnections)
	held := []string{"created by request", "requires_action by answer", "authorized by callback|check"}
	asked := append(held[:3:3], "processing by request")
	d.atOnce(t, scenarios{
		"capture all": func(t *testing.T, d uapayDev) {
			o := d.holds("all")
			require.EqualValues(t, 1000, o.AmountAuthorized)
			require.Zero(t, o.AmountCaptured)
			d.refuses(refundsOf(o), refund("all-r", 100), http.StatusConflict, "invalid_state")
			d.refuses(captureOf(o), `{"amount":1001}`, http.StatusUnprocessableEntity, "amount_exceeds_authorized")
			require.Equal(t, "succeeded", d.makes(captureOf(o), `{}`, http.StatusOK).Status)
			require.EqualValues(t, 1000, d.full(o.ID).AmountCaptured)
			d.requireTimeline(o.ID, append(asked[:4:4], "succeeded by answer|check")...)
			d.refuses(captureOf(o), `{}`, http.StatusConflict, "invalid_state")
			d.refuses(cancelOf(o), ``, http.StatusConflict, "invalid_state")
			require.Equal(t, 1, d.sent(o, complete))
		},
		"capture a part": func(t *testing.T, d uapayDev) {
			o := d.holds("part")
			done := d.makes(captureOf(o), `{"amount":400}`, http.StatusOK)
			require.Equal(t, "succeeded", done.Status)
			require.EqualValues(t, 400, done.AmountCaptured)
			require.EqualValues(t, 1000, done.AmountAuthorized)
			require.EqualValues(t, 400, d.simulator(o).Payments[0].Held)
			d.requireTimeline(o.ID, append(asked[:4:4], "succeeded by answer|check")...)
			d.refuses(refundsOf(o), refund("part-r", 401), http.StatusConflict, "refund_exceeds_captured")
			r := d.makes(refundsOf(o), refund("part-all", 400), http.StatusCreated)
			d.ends(r.ID, "succeeded")
			require.EqualValues(t, 400, d.full(o.ID).AmountRefunded)
			require.Equal(t, "REVERSED", d.simulator(o).Payments[0].System)
		},
		"cancel": func(t *testing.T, d uapayDev) {
			o := d.holds("cancel")
			require.Equal(t, "canceled", d.makes(cancelOf(o), ``, http.StatusOK).Status)
			require.Equal(t, "CANCELED", d.simulator(o).Payments[0].System)
			d.requireTimeline(o.ID, append(asked[:4:4], "canceled by answer")...)
			d.refuses(captureOf(o), `{}`, http.StatusConflict, "invalid_state")
			require.Zero(t, d.sent(o, complete))
		},
		"hold expired": func(t *testing.T, d uapayDev) {
			o := d.holds("expired")
			d.completes(o, "hold_expired")
			require.Zero(t, d.ends(o.ID, "canceled").AmountCaptured)
			d.requireTimeline(o.ID, append(held[:3:3], "canceled by callback|check")...)
			d.refuses(captureOf(o), `{}`, http.StatusConflict, "invalid_state")
		},
		"hold expired, callback lost": func(_ *testing.T, d uapayDev) {
			o := d.holds("expired-silent")
			d.muteCallbacks(o)
			d.completes(o, "hold_expired")
			d.asks(o)
			d.ends(o.ID, "canceled")
			d.requireTimeline(o.ID, append(held[:3:3], "canceled by check")...)
		},
		"hold expired before a capture": func(t *testing.T, d uapayDev) {
			o := d.holds("expired-capture")
			d.muteCallbacks(o)
			d.completes(o, "hold_expired")
			require.Equal(t, "canceled", d.makes(captureOf(o), `{}`, http.StatusOK).Status, "the provider refuses, and shows why")
			d.requireTimeline(o.ID, append(asked[:4:4], "canceled by answer")...)
		},
		"capture answer lost": func(t *testing.T, d uapayDev) {
			o := d.holds("lost-capture")
			d.once("drop_after", complete, o.ProviderOrderID)
			require.Equal(t, "processing", d.makes(captureOf(o), `{"amount":400}`, http.StatusOK).Status)
			d.refuses(cancelOf(o), ``, http.StatusConflict, "invalid_state")
			require.EqualValues(t, 400, d.ends(o.ID, "succeeded").AmountCaptured)
			d.requireTimeline(o.ID, append(asked[:4:4], "succeeded by check")...)
			require.Equal(t, 1, d.sent(o, complete))
		},
		"capture lost on its way": func(t *testing.T, d uapayDev) {
			o := d.holds("never-captured")
			d.once("drop_before", complete, o.ProviderOrderID)
			require.Equal(t, "processing", d.makes(captureOf(o), `{}`, http.StatusOK).Status)
			require.Equal(t, "processing", d.asks(o).Status, "the hold still stands, and the capture may yet arrive")
			require.Equal(t, 1, d.sent(o, complete), "it is not sent again on a guess")
		},
		"cancel answer lost": func(t *testing.T, d uapayDev) {
			o := d.holds("lost-cancel")
			d.once("drop_after", cancel, o.ProviderOrderID)
			require.Equal(t, "processing", d.makes(cancelOf(o), ``, http.StatusOK).Status)
			d.ends(o.ID, "canceled")
			d.requireTimeline(o.ID, append(asked[:4:4], "canceled by check")...)
			require.Equal(t, 1, d.sent(o, cancel))
		},
		"captures and cancels at once": func(t *testing.T, d uapayDev) {
			o := d.holds("race")
			var mu sync.Mutex
			answers := map[int]int{}
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					path, body := captureOf(o), `{}`
					if i%2 == 0 {
						path, body = cancelOf(o), ``
					}
					res, _ := d.raw(http.MethodPost, path, body, nil)
					mu.Lock()
					answers[res.StatusCode]++
					mu.Unlock()
				})
			}
			wg.Wait()
			require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusConflict: 19}, answers)
			require.Equal(t, 1, d.sent(o, complete)+d.sent(o, cancel))
			end := d.full(o.ID)
			require.Equal(t, map[string]string{"FINISHED": "succeeded", "CANCELED": "canceled"}[d.simulator(o).Payments[0].System], end.Status)
			d.requireTimeline(o.ID, append(asked[:4:4], end.Status+" by answer")...)
		},
	})

	// The provider goes on naming the sum of the hold. Nobody says what was taken.
	d.settings(map[string]any{"capture_changes_amount": false})
	d.atOnce(t, scenarios{
		"a part whose sum nobody names": func(t *testing.T, d uapayDev) {
			o := d.holds("unnamed")
			require.Equal(t, "processing", d.makes(captureOf(o), `{"amount":400}`, http.StatusOK).Status)
			require.Equal(t, "processing", d.asks(o).Status)
			require.Zero(t, d.full(o.ID).AmountCaptured)
			require.Contains(t, *d.full(o.ID).StatusReason, "names no sum")
			d.operator("order", "resolve", o.ID, "--status", "succeeded", "--amount", "400", "--reason", "the cabinet says so")
			require.EqualValues(t, 400, d.full(o.ID).AmountCaptured)
		},
		"all of it": func(t *testing.T, d uapayDev) {
			o := d.holds("unnamed-all")
			require.EqualValues(t, 1000, d.makes(captureOf(o), `{}`, http.StatusOK).AmountCaptured)
		},
	})
	d.settings(map[string]any{"capture_changes_amount": true})

	// The provider acknowledges at once and acts later.
	d.settings(map[string]any{"follow_up_ms": 300, "hold_unpaid_ms": 1200})
	d.atOnce(t, scenarios{
		"capture takes a while": func(t *testing.T, d uapayDev) {
			o := d.holds("slow-capture")
			require.Equal(t, "processing", d.makes(captureOf(o), `{"amount":700}`, http.StatusOK).Status)
			p := d.refuses(cancelOf(o), ``, http.StatusConflict, "invalid_state")
			require.Equal(t, "A capture of this payment is under way. Its notification tells how it ended.", p.Detail)
			require.EqualValues(t, 700, d.ends(o.ID, "succeeded").AmountCaptured)
			d.requireTimeline(o.ID, append(asked[:4:4], "succeeded by check")...)
		},
		"a hold takes a while": func(_ *testing.T, d uapayDev) {
			o := d.opens("slow-hold", `"capture":"manual"`)
			d.pays(o, uahSuccess, "")
			require.Equal(d.t, "processing", d.asks(o).Status, "held, and the invoicer does not confirm it yet")
			d.ends(o.ID, "authorized")
			d.requireTimeline(o.ID, "created by request", "requires_action by answer", "processing by check", "authorized by callback|check")
		},
		"cancel takes a while": func(t *testing.T, d uapayDev) {
			o := d.holds("slow-cancel")
			require.Equal(t, "processing", d.makes(cancelOf(o), ``, http.StatusOK).Status)
			d.ends(o.ID, "canceled")
			d.requireTimeline(o.ID, append(asked[:4:4], "canceled by check")...)
		},
	})
}

// Time and several answers prove that a capture or cancel never arrived; then it can be asked for again.
func TestACaptureOrCancelThatNeverArrivesAtUAPAY(t *testing.T) {
	t.Parallel()
	const complete, cancel = "invoicer/payments/complete", "invoicer/payments/cancel"
	d := startUAPAY(t, "PROVIDER_TIMEOUT=2s", "VISIBILITY_DELAY=1s")
	back := func(t *testing.T, d uapayDev, o full) {
		eventually(t, func() bool { return d.asks(o).Status == "authorized" })
		d.requireTimeline(o.ID, "created by request", "requires_action by answer", "authorized by callback|check", "processing by request", "authorized by check")
	}
	d.atOnce(t, scenarios{
		"capture": func(t *testing.T, d uapayDev) {
			o := d.holds("never-captured")
			d.once("drop_before", complete, o.ProviderOrderID)
			require.Equal(t, "processing", d.makes(captureOf(o), `{"amount":400}`, http.StatusOK).Status)
			back(t, d, o)
			require.EqualValues(t, 1000, d.makes(captureOf(o), `{}`, http.StatusOK).AmountCaptured, "the part is no longer meant")
			require.EqualValues(t, 1000, d.simulator(o).Payments[0].Held)
		},
		"cancel": func(t *testing.T, d uapayDev) {
			o := d.holds("never-canceled")
			d.once("drop_before", cancel, o.ProviderOrderID)
			require.Equal(t, "processing", d.makes(cancelOf(o), ``, http.StatusOK).Status)
			back(t, d, o)
			require.Equal(t, "canceled", d.makes(cancelOf(o), ``, http.StatusOK).Status)
		},
	})
}
