package e2e

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHolds(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	begin := []string{"created by request", "requires_action by answer", "authorized by callback|check"}

	o := d.held("all", 1000)
	require.EqualValues(t, 1000, o.AmountAuthorized)
	require.Zero(t, o.AmountCaptured)
	p := d.refuses("/v1/payments/"+o.ID+"/refunds", refund("all-r", 100), http.StatusConflict, "invalid_state")
	require.Contains(t, p.Detail, "authorized")
	p = d.refuses(captureOf(o), `{"amount":1001}`, http.StatusUnprocessableEntity, "amount_exceeds_authorized")
	require.Equal(t, []string{"amount"}, p.fields())
	done := d.makes(captureOf(o), `{}`, http.StatusOK)
	require.Equal(t, "succeeded", done.Status)
	require.EqualValues(t, 1000, done.AmountCaptured)
	d.requireTimeline(o.ID, append(begin, "processing by request", "succeeded by answer")...)
	d.refuses(captureOf(o), `{}`, http.StatusConflict, "invalid_state")
	d.refuses(cancelOf(o), ``, http.StatusConflict, "invalid_state")
	require.Equal(t, 1, d.sent(o.ProviderOrderID, "capture"))
	require.Zero(t, d.sent(o.ProviderOrderID, "cancel"))

	o = d.held("part", 1000)
	done = d.makes(captureOf(o), `{"amount":400}`, http.StatusOK)
	require.Equal(t, "succeeded", done.Status)
	require.EqualValues(t, 400, done.AmountCaptured)
	require.EqualValues(t, 1000, done.AmountAuthorized)
	require.EqualValues(t, 400, d.simulator(o.ProviderOrderID).FinalAmount)
	d.refuses("/v1/payments/"+o.ID+"/refunds", refund("part-r", 401), http.StatusConflict, "refund_exceeds_captured")
	d.refunded(o, "part-all", 400)
	require.EqualValues(t, 400, d.full(o.ID).AmountRefunded)

	o = d.held("cancel", 1000)
	require.Equal(t, "canceled", d.makes(cancelOf(o), ``, http.StatusOK).Status)
	require.True(t, d.simulator(o.ProviderOrderID).Canceled)
	d.requireTimeline(o.ID, append(begin, "processing by request", "canceled by answer")...)
	d.refuses(captureOf(o), `{}`, http.StatusConflict, "invalid_state")

	// the provider says "accepted" first, and ends it later
	d.settings(map[string]any{"capture_pending_ms": 600})
	o = d.held("pending", 1000)
	require.Equal(t, "processing", d.makes(captureOf(o), `{"amount":700}`, http.StatusOK).Status)
	p = d.refuses(cancelOf(o), ``, http.StatusConflict, "invalid_state")
	require.Equal(t, "A capture of this payment is under way. Its notification tells how it ended.", p.Detail)
	require.EqualValues(t, 700, d.ends(o.ID, "succeeded").AmountCaptured)
	d.requireTimeline(o.ID, append(begin, "processing by request", "succeeded by check")...)
	o = d.held("pending-cancel", 1000)
	require.Equal(t, "processing", d.makes(cancelOf(o), ``, http.StatusOK).Status)
	d.ends(o.ID, "canceled")
	d.requireTimeline(o.ID, append(begin, "processing by request", "canceled by check")...)
}

func TestACaptureOrCancelWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.held("lost-capture", 1000)
	d.fault("drop_after", "capture", o.ProviderOrderID, map[string]any{"count": 1})
	// A poll may tell how it ended before the lost answer is written down.
	require.Contains(t, []string{"processing", "succeeded"}, d.makes(captureOf(o), `{"amount":400}`, http.StatusOK).Status)
	require.EqualValues(t, 400, d.ends(o.ID, "succeeded").AmountCaptured)
	require.Equal(t, 1, d.sent(o.ProviderOrderID, "capture"))

	o = d.held("lost-cancel", 1000)
	d.fault("drop_after", "cancel", o.ProviderOrderID, map[string]any{"count": 1})
	require.Contains(t, []string{"processing", "canceled"}, d.makes(cancelOf(o), ``, http.StatusOK).Status)
	d.ends(o.ID, "canceled")
	require.Equal(t, 1, d.sent(o.ProviderOrderID, "cancel"))
}

// A capture that never reached the provider must not be read as done, however the provider shows its holds.
func TestACaptureOrCancelThatNeverArrives(t *testing.T) {
	t.Parallel()
	d := startDev(t, "PROVIDER_TIMEOUT=2s", "VISIBILITY_DELAY=1s")
	for name, shown := range map[string]map[string]any{
		"as-2": {"authorized_status": 2, "authorize_status_text": ""},
		"as-1": {"authorized_status": 1, "authorize_status_text": "AUTHORIZED"},
	} {
		d.settings(shown)
		o := d.held(name+"-capture", 1000)
		d.fault("drop_before", "capture", o.ProviderOrderID, map[string]any{"count": 1})
		require.Equal(t, "processing", d.makes(captureOf(o), `{"amount":400}`, http.StatusOK).Status)
		c := d.held(name+"-cancel", 1000)
		d.fault("drop_before", "cancel", c.ProviderOrderID, map[string]any{"count": 1})
		require.Equal(t, "processing", d.makes(cancelOf(c), ``, http.StatusOK).Status)

		require.Zero(t, d.ends(o.ID, "authorized").AmountCaptured)
		d.ends(c.ID, "authorized")
		require.EqualValues(t, 1000, d.makes(captureOf(o), `{}`, http.StatusOK).AmountCaptured, "it can be asked for again")
		require.EqualValues(t, 1000, d.simulator(o.ProviderOrderID).FinalAmount)
		require.Equal(t, "succeeded", d.makes(captureOf(c), `{}`, http.StatusOK).Status)
		d.requireTimeline(o.ID, "created by request", "requires_action by answer", "authorized by callback|check",
			"processing by request", "authorized by check", "processing by request", "succeeded by answer")
	}
}

// A hold may be shown as 1 first and as 2 later. A capture that never arrived is read against how it was shown last.
func TestAHoldThatIsShownOtherwiseBeforeALostCapture(t *testing.T) {
	t.Parallel()
	d := startDev(t, "PROVIDER_TIMEOUT=2s", "VISIBILITY_DELAY=1s")
	d.settings(map[string]any{"authorized_status": 2, "authorize_status_text": "HOLD"})
	o := d.held("settles", 1000)
	d.fault("check_lie", "check", o.ProviderOrderID, map[string]any{"count": 1, "status": 1})
	d.makes("/v1/orders/"+o.ID+"/refresh", ``, http.StatusOK)
	d.fault("drop_before", "capture", o.ProviderOrderID, map[string]any{"count": 1})
	require.Equal(t, "processing", d.makes(captureOf(o), `{}`, http.StatusOK).Status)
	require.Zero(t, d.ends(o.ID, "authorized").AmountCaptured)
	require.EqualValues(t, 1000, d.makes(captureOf(o), `{}`, http.StatusOK).AmountCaptured, "it can be asked for again")
}

// While a check does not show the hold, nothing is sent of which nobody could tell whether it arrived.
func TestNothingIsSentWhileTheHoldIsNotShown(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.held("not-shown", 1000)
	d.fault("check_lie", "check", o.ProviderOrderID, map[string]any{"count": 1, "status": 7})
	d.refuses(captureOf(o), `{}`, http.StatusBadGateway, "provider_unavailable")
	require.Zero(t, d.sent(o.ProviderOrderID, "capture"))
	require.Equal(t, "authorized", d.full(o.ID).Status)
	require.Equal(t, "succeeded", d.makes(captureOf(o), `{}`, http.StatusOK).Status)
}

func TestOfCapturesAndCancelsAtOnceOneGoesOut(t *testing.T) {
	t.Parallel()
	d := startDev(t, allConnections)
	o := d.held("race", 1000)
	var mu sync.Mutex
	answers := map[int]int{}
	var wg sync.WaitGroup
	for i := range 30 {
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
	require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusConflict: 29}, answers)
	require.Equal(t, 1, d.sent(o.ProviderOrderID, "capture")+d.sent(o.ProviderOrderID, "cancel"))
}
