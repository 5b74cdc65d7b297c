package main

import (
	"bytes"
	"io"
	"strings"
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

func TestRefusedCredentialsAreTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := newObserver(prometheus.NewRegistry(), zerolog.New(&log))
	o.observe(payment.Event{Provider: "uapay", Cause: payment.CauseAnswer, Verdict: payment.Apply, Account: "UAH-main", CredentialsRefused: true})
	o.observe(payment.Event{Provider: "uapay", Cause: payment.CauseAnswer, Verdict: payment.Apply, Account: "UAH-main"})
	require.InDelta(t, 1, testutil.ToFloat64(o.refused.WithLabelValues("uapay")), 0)
	require.Equal(t, 1, strings.Count(log.String(), "UAH-main"))
}
