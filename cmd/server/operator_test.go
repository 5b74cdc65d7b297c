package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An operator sees the whole story of an order, and can have its notifications sent again.
func TestAnOperatorSeesAndResends(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.paid("operator-1", 1000, "")
	d.story(o.ID, "created by request", "requires_action by answer", "succeeded by callback|check")
	require.Eventually(t, func() bool { return len(d.verdicts(o.ID)) > 0 }, 10*time.Second, 25*time.Millisecond)
	text := d.operator("order", "show", o.ID)
	for _, want := range []string{"waits for: nothing", "none → created", "callback received", "succeeded: apply", "notification", "order.succeeded delivered after 1 attempts"} {
		require.Contains(t, text, want)
	}
	require.Contains(t, d.operator("order", "resend", o.ID, "--from", "3"), "1 notifications of order "+o.ID+" are sent again")
	require.Eventually(t, func() bool {
		return strings.Contains(d.operator("order", "show", o.ID), "order.succeeded delivered after 2 attempts")
	}, 10*time.Second, 50*time.Millisecond)
	require.Equal(t, []string{"2 order.requires_action", "3 order.succeeded"}, d.arrivals(o.ID), "the shop knows it by its id")
}
