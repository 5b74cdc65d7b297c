package main

import (
	"io"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

func TestConflictsAreCountedWhateverTheVerdict(t *testing.T) {
	t.Parallel()
	o := newObserver(prometheus.NewRegistry(), zerolog.New(io.Discard))
	for _, verdict := range []payment.Verdict{payment.Apply, payment.ConflictVerdict} {
		o.observe(payment.Event{Provider: "smartcore", Cause: payment.CauseCheck, Verdict: verdict, Conflicts: 1})
	}
	o.observe(payment.Event{Provider: "smartcore", Cause: payment.CauseCheck, Verdict: payment.Apply})
	require.InDelta(t, 2, testutil.ToFloat64(o.conflicts.WithLabelValues("smartcore", "check")), 0)
}
