package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRefunds(t *testing.T) {
	t.Parallel()
	d := startDev(t, allConnections)
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		p := d.paid("full", 1000, "")
		o := d.makes(refundsOf(p), refund("full-r", 1000), http.StatusCreated)
		require.Equal(t, "refund", o.Kind)
		require.Equal(t, p.ID, *o.ParentID)
		d.ends(o.ID, "succeeded")
		d.requireTimeline(o.ID, "created by request", "processing by answer", "succeeded by callback|check")
		after := d.full(p.ID)
		require.Equal(t, "succeeded", after.Status)
		require.EqualValues(t, 1000, after.AmountRefunded)
		require.Equal(t, p.Sequence, after.Sequence, "the payment itself made no step")
		d.refuses(refundsOf(p), refund("full-more", 1), http.StatusConflict, "refund_exceeds_captured")
	})
	t.Run("several until the rest", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		p := d.paid("parts", 1000, "")
		first := d.makes(refundsOf(p), refund("parts-1", 300), http.StatusCreated)
		same := d.makes(refundsOf(p), refund("parts-1", 300), http.StatusOK)
		require.Equal(t, first.ID, same.ID)
		d.refuses(refundsOf(p), refund("parts-1", 301), http.StatusConflict, "reference_conflict")
		d.ends(first.ID, "succeeded")
		require.EqualValues(t, 300, d.full(p.ID).AmountRefunded)
		d.refuses(refundsOf(p), refund("parts-x", 701), http.StatusConflict, "refund_exceeds_captured")
		d.refunded(p, "parts-2", 300)
		require.EqualValues(t, 600, d.full(p.ID).AmountRefunded)
		d.refunded(p, "parts-3", 400)
		require.EqualValues(t, 1000, d.full(p.ID).AmountRefunded)
		require.Len(t, d.simulator(p.ProviderOrderID).Refunds, 3)
	})
	t.Run("of a payment that is not paid", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		o := d.create("unpaid")
		p := d.refuses("/v1/payments/"+o.ID+"/refunds", refund("unpaid-r", 100), http.StatusConflict, "invalid_state")
		require.Contains(t, p.Detail, "Only a succeeded payment can be refunded; this one is requires_action.")
		require.Zero(t, d.sent(o.ProviderOrderID, "refund"))
	})
	t.Run("two hundred at once", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		p := d.paid("crowd", 1000, "")
		var next atomic.Int64
		var mu sync.Mutex
		outcomes := map[string]int{}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for n := next.Add(1); n <= 200; n = next.Add(1) {
					res, text := d.raw(http.MethodPost, refundsOf(p), refund(fmt.Sprintf("crowd-%d", n), 300), nil)
					var said refusal
					_ = json.Unmarshal(text, &said)
					mu.Lock()
					outcomes[fmt.Sprintf("%d %s", res.StatusCode, said.Code)]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for outcome := range outcomes {
			require.Contains(t, []string{"201 ", "409 refund_in_progress", "409 refund_exceeds_captured"}, outcome)
		}
		made := outcomes["201 "]
		require.GreaterOrEqual(t, made, 1)
		require.LessOrEqual(t, made, 3)
		eventually(t, func() bool { return d.full(p.ID).AmountRefunded == int64(300*made) })
		require.Equal(t, made, d.sent(p.ProviderOrderID, "refund"), "none was sent that was refused here")
		require.EqualValues(t, 300*made, d.simulator(p.ProviderOrderID).Refunded)
	})
}

func TestARefundThatTheProviderFailsGivesTheSumBack(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	p := d.paid("fails", 1000, "")
	d.settings(map[string]any{"refund_fails": true})
	o := d.makes(refundsOf(p), refund("fails-1", 1000), http.StatusCreated)
	end := d.ends(o.ID, "failed")
	require.Equal(t, "unknown", end.Failure.Category)
	require.Equal(t, "PROCESSING_ERROR", end.Failure.Code)
	d.requireTimeline(o.ID, "created by request", "processing by answer", "failed by callback|check")
	require.Zero(t, d.full(p.ID).AmountRefunded)
	d.settings(map[string]any{"refund_fails": false})
	d.refunded(p, "fails-2", 1000)
	require.EqualValues(t, 1000, d.full(p.ID).AmountRefunded)
}

// Without its answer a refund has no id that the provider knows. Only its callback, which names the payment, can end it.
func TestARefundWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	t.Run("succeeds by its callback", func(t *testing.T) {
		d := d.with(t)
		p := d.paid("lost-1", 1000, "")
		d.fault("drop_after", "refund", p.ProviderOrderID, map[string]any{"count": 1})
		o := d.makes(refundsOf(p), refund("lost-1-r", 400), http.StatusAccepted)
		require.Equal(t, "unknown", o.Status)
		d.ends(o.ID, "succeeded")
		d.requireTimeline(o.ID, "created by request", "unknown by answer", "succeeded by callback")
		require.EqualValues(t, 400, d.full(p.ID).AmountRefunded)
		require.Equal(t, 1, d.sent(p.ProviderOrderID, "refund"))
	})
	t.Run("fails by its callback", func(t *testing.T) {
		d := d.with(t)
		p := d.paid("lost-2", 1000, "")
		d.settings(map[string]any{"refund_fails": true})
		defer d.settings(map[string]any{"refund_fails": false})
		d.fault("drop_after", "refund", p.ProviderOrderID, map[string]any{"count": 1})
		o := d.makes(refundsOf(p), refund("lost-2-r", 400), http.StatusAccepted)
		d.ends(o.ID, "failed")
		d.requireTimeline(o.ID, "created by request", "unknown by answer", "failed by callback")
		require.Zero(t, d.full(p.ID).AmountRefunded)
	})
	t.Run("without a callback it stays unknown and keeps others out", func(t *testing.T) {
		d := d.with(t)
		p := d.paid("lost-3", 1000, "")
		d.fault("callback_off", "", p.ProviderOrderID, nil)
		d.fault("drop_after", "refund", p.ProviderOrderID, map[string]any{"count": 1})
		o := d.makes(refundsOf(p), refund("lost-3-r", 400), http.StatusAccepted)
		d.asked(o.ID, 2)
		require.Equal(t, "unknown", d.get(o.ID).Status, "that the provider does not show it proves nothing")
		said := d.refuses(refundsOf(p), refund("lost-3-next", 100), http.StatusConflict, "refund_in_progress")
		require.Contains(t, said.Detail, "Another refund of this payment is not settled yet.")
		require.Zero(t, d.full(p.ID).AmountRefunded)
		require.Equal(t, 1, d.sent(p.ProviderOrderID, "refund"))

		require.Regexp(t, o.ID+` +demo +lost-3-r +refund +unknown`, d.operator("order", "list", "--older", "0s"))
		d.operator("order", "resolve", o.ID, "--status", "succeeded", "--reason", "seen in the provider's list")
		require.EqualValues(t, 400, d.full(p.ID).AmountRefunded)
		d.requireTimeline(o.ID, "created by request", "unknown by answer", "succeeded by operator")
		require.NotContains(t, d.operator("order", "list", "--older", "0s"), o.ID)
	})
}

// A callback about a refund names the payment, so an old one could be taken for a new refund's.
func TestAnOldRefundsCallbackDoesNotEndANewRefund(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	// The first refund ends by a check, before its callback; the second never reaches the provider.
	for name, second := range map[string]int64{"same-sum": 300, "another-sum": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := d.with(t)
			p := d.paid(name, 1000, "")
			d.fault("callback_late", "", p.ProviderOrderID, map[string]any{"count": 1, "delay_ms": 3000})
			one := d.refunded(p, name+"-1", 300)
			d.requireTimeline(one.ID, "created by request", "processing by answer", "succeeded by check")
			d.fault("drop_before", "refund", p.ProviderOrderID, map[string]any{"count": 1})
			two := d.makes(refundsOf(p), refund(name+"-2", second), http.StatusAccepted)
			uuid := d.simulator(p.ProviderOrderID).Refunds[0].UUID
			eventually(t, func() bool { return len(d.simulatorCallbacks(uuid)) == 1 })
			require.Equal(t, []int{http.StatusOK}, d.simulatorCallbacks(uuid))
			d.replay(uuid, 5)
			d.asked(two.ID, 1)
			require.Equal(t, "unknown", d.get(two.ID).Status)
			require.Equal(t, one.Sequence, d.get(one.ID).Sequence)
			require.EqualValues(t, 300, d.full(p.ID).AmountRefunded)
			if second == 300 {
				require.Equal(t, []string{"verify"}, d.verdicts(two.ID), "it is kept with the refund that it may be about")
			} else {
				require.Equal(t, []string{"repeat"}, d.verdicts(one.ID), "its sum tells that it is about the first")
				require.Empty(t, d.verdicts(two.ID))
			}
		})
	}
	t.Run("replayed after it was applied", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		p := d.paid("replayed", 1000, "")
		d.fault("drop_after", "refund", p.ProviderOrderID, map[string]any{"count": 1})
		one := d.makes(refundsOf(p), refund("replayed-1", 300), http.StatusAccepted)
		d.ends(one.ID, "succeeded")
		d.fault("drop_before", "refund", p.ProviderOrderID, map[string]any{"count": 1})
		two := d.makes(refundsOf(p), refund("replayed-2", 300), http.StatusAccepted)
		d.replay(d.simulator(p.ProviderOrderID).Refunds[0].UUID, 5)
		require.Equal(t, "unknown", d.get(two.ID).Status)
		require.EqualValues(t, 300, d.full(p.ID).AmountRefunded)
	})
	// The first refund was told of by its own callback, so the next callback of this sum is the second one's.
	t.Run("both lost", func(t *testing.T) {
		t.Parallel()
		d := d.with(t)
		p := d.paid("both", 1000, "")
		for _, reference := range []string{"both-1", "both-2"} {
			d.fault("drop_after", "refund", p.ProviderOrderID, map[string]any{"count": 1})
			o := d.makes(refundsOf(p), refund(reference, 300), http.StatusAccepted)
			d.ends(o.ID, "succeeded")
			d.requireTimeline(o.ID, "created by request", "unknown by answer", "succeeded by callback")
		}
		require.EqualValues(t, 600, d.full(p.ID).AmountRefunded)
	})
}

// A callback on a refund names the payment alone. That of an earlier refund, sent again in another spelling, must not end
// the next refund of the same sum.
func TestACallbackInAnotherSpellingEndsNoOtherRefund(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.create("spelling")
	d.fault("callback_off", "", o.ProviderOrderID, nil)
	target := d.API + d.callbackTarget("EUR-sandbox")
	require.Equal(t, http.StatusOK, deliver(target, signedEvent(o.ProviderOrderID, nil)))
	p := d.ends(o.ID, "succeeded")
	d.fault("drop_before", "refund", p.ProviderOrderID, map[string]any{"count": 2})
	one := d.makes(refundsOf(p), refund("spelling-1", 300), http.StatusAccepted)
	body := signedEvent(p.ProviderOrderID, map[string]string{"type": "Refund", "amount": "300", "finalAmount": "300"})
	require.Equal(t, http.StatusOK, deliver(target, body))
	d.ends(one.ID, "succeeded")
	two := d.makes(refundsOf(p), refund("spelling-2", 300), http.StatusAccepted)
	pairs := strings.Split(body, "&")
	slices.Reverse(pairs)
	sign := body[strings.Index(body, "sign=")+5:][:64]
	for _, repeated := range []string{
		body, strings.Join(pairs, "&"), strings.Replace(body, "amount=300", "amount=%3300", 1),
		strings.Replace(body, sign, strings.ToUpper(sign), 1),
	} {
		require.Equal(t, http.StatusOK, deliver(target, repeated))
		require.Equal(t, "unknown", d.get(two.ID).Status)
	}
	require.EqualValues(t, 300, d.full(p.ID).AmountRefunded)
}
