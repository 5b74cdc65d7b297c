package app

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/store"
)

func TestConflictsAreCountedWhateverTheVerdict(t *testing.T) {
	t.Parallel()
	o := newObserver(prometheus.NewRegistry(), zerolog.New(io.Discard))
	for _, verdict := range []payment.Verdict{payment.Apply, payment.Conflict} {
		o.observe(payment.Event{Provider: "smartcore", Source: payment.SourceStatusPoll, Verdict: verdict, Conflicts: 1})
	}
	o.observe(payment.Event{Provider: "smartcore", Source: payment.SourceStatusPoll, Verdict: payment.Apply})
	require.InDelta(t, 2, testutil.ToFloat64(o.conflicts.WithLabelValues("smartcore", "check")), 0)
}

func TestAConflictIsLoggedWithItsOrder(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := newObserver(prometheus.NewRegistry(), zerolog.New(&log))
	id := uuid.New()
	o.observe(payment.Event{Provider: "smartcore", Source: payment.SourceStatusPoll, Verdict: payment.Conflict, Conflicts: 1, Order: id})
	require.Contains(t, log.String(), `"order_id":"`+id.String()+`"`)
}

// A row that was changed past payrelay sends whoever reads the log to a heading of the runbook.
func TestABrokenSealNamesItsPlaceInTheRunbook(t *testing.T) {
	t.Parallel()
	runbook, err := os.ReadFile("../../docs/runbook.md")
	require.NoError(t, err)
	for table, alert := range map[string]string{"shops": "PayrelayRowAltered", "orders": "PayrelaySealBroken", "order_transitions": "PayrelaySealBroken", "payout_approvals": "PayrelaySealBroken"} {
		var log bytes.Buffer
		newObserver(prometheus.NewRegistry(), zerolog.New(&log)).sealBroken(store.Finding{Table: table, ID: "7", What: "its seal is broken"})
		require.Contains(t, log.String(), "see "+alert+" in the runbook", table)
		require.Contains(t, string(runbook), "\n### "+alert+"\n")
	}
}

// The first callback without an order must be an increase for Prometheus: the counter is there before.
func TestCallbacksWithoutAnOrderAreCountedFromZero(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	newObserver(reg, zerolog.Nop())
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP payrelay_callbacks_total Callbacks of providers, by what became of them; rejected ones were not believed.
# TYPE payrelay_callbacks_total counter
payrelay_callbacks_total{provider="smartcore",verdict="no_order"} 0
payrelay_callbacks_total{provider="uapay",verdict="no_order"} 0
`), "payrelay_callbacks_total"))
}

func TestVerificationsAreCountedByAccountAndRule(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	o := newObserver(reg, zerolog.Nop())
	event := payment.Event{Provider: "smartcore", Account: "EUR-1", Source: payment.SourceCallback, Verdict: payment.Apply, Callback: string(payment.Apply), Secrets: payment.SecretsCurrent}
	o.observe(event)
	event.Callback, event.Verdict, event.Rule = string(payment.Verify), "verify", "C2"
	o.observe(event)
	o.observe(event)
	event.Rule = "asked_under_command"
	o.observe(event)
	o.observe(payment.Event{Provider: "smartcore", Account: "EUR-1", Source: payment.SourceCallback, Callback: payment.CallbackRejected})
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP payrelay_account_callbacks_total Genuine callbacks, by the account that they came to and by which of its secrets they were signed with.
# TYPE payrelay_account_callbacks_total counter
payrelay_account_callbacks_total{account="EUR-1",provider="smartcore",secrets="current"} 4
# HELP payrelay_callback_verifications_total Genuine callbacks that were settled by asking the provider, by account and rule. A rule asked_… is no fault of the callback.
# TYPE payrelay_callback_verifications_total counter
payrelay_callback_verifications_total{account="EUR-1",provider="smartcore",rule="C2"} 2
payrelay_callback_verifications_total{account="EUR-1",provider="smartcore",rule="asked_under_command"} 1
`), "payrelay_account_callbacks_total", "payrelay_callback_verifications_total"))
}

func TestShopsThatAreSwitchedOffAreShown(t *testing.T) {
	t.Parallel()
	g := newGauges(func(context.Context) (store.Gauges, error) { return store.Gauges{ShopsOff: 2}, nil })
	require.NoError(t, testutil.CollectAndCompare(g, strings.NewReader(`
# HELP payrelay_shops_switched_off Shops with an address that an answer of 410 switched off.
# TYPE payrelay_shops_switched_off gauge
payrelay_shops_switched_off 2
`), "payrelay_shops_switched_off"))
}

func TestRefusedCredentialsAreTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := newObserver(prometheus.NewRegistry(), zerolog.New(&log))
	o.observe(payment.Event{Provider: "uapay", Source: payment.SourceAnswer, Verdict: payment.Apply, Account: "UAH-main", CredentialsRefused: true})
	o.observe(payment.Event{Provider: "uapay", Source: payment.SourceAnswer, Verdict: payment.Apply, Account: "UAH-main"})
	require.InDelta(t, 1, testutil.ToFloat64(o.credentialsDeclined.WithLabelValues("uapay")), 0)
	require.Equal(t, 1, strings.Count(log.String(), "UAH-main"))
}
