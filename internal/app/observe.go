package app

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	httpapi "payrelay/internal/http"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// observer counts verdicts and says conflicts and refused credentials out loud.
type observer struct {
	observations, conflicts, callbacks, genuine, pendingVerifications, failovers, routed, ended, credentialsDeclined, pollsFailed, limitHits, sealsBroken, mandateCharges *prometheus.CounterVec
	chargesRefused                                                                                                                                                        prometheus.Counter
	log                                                                                                                                                                   zerolog.Logger
}

func newObserver(reg prometheus.Registerer, log zerolog.Logger) *observer {
	o := &observer{
		observations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_observations_total", Help: "Observations of orders, by their source and the verdict.",
		}, []string{"provider", "source", "verdict"}),
		conflicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_order_conflicts_total", Help: "Observations that contradicted what is recorded. Each waits for an operator.",
		}, []string{"provider", "source"}),
		callbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_callbacks_total", Help: "Callbacks of providers, by what became of them; rejected ones were not believed.",
		}, []string{"provider", "verdict"}),
		genuine: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_account_callbacks_total", Help: "Genuine callbacks, by the account that they came to and by which of its secrets they were signed with.",
		}, []string{"provider", "account", "secrets"}),
		pendingVerifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_callback_verifications_total", Help: "Genuine callbacks that were settled by asking the provider, by account and rule. A rule asked_… is no fault of the callback.",
		}, []string{"provider", "account", "rule"}),
		failovers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_failovers_total", Help: "Orders that went to another account, by reason: nothing was sent, a decline, or a limit of the account.",
		}, []string{"from", "to", "reason"}),
		routed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_routed_payments_total", Help: "New payments and payouts of shops with routing rules, by the rule that decided and the account; otherwise is for those that no rule took, account none for those that no account takes.",
		}, []string{"rule", "account"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_orders_final_total", Help: "Orders that came to their end, by the status and, of those that failed, the category of the reason. Outcome declined is an attempt: the order went to another account after it. Kind charge is a later charge of a mandate; method is empty where none is known.",
		}, []string{"provider", "account", "kind", "method", "outcome", "category"}),
		credentialsDeclined: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_credentials_refused_total", Help: "Calls that a provider refused because of the account's secrets. The log names the account.",
		}, []string{"provider"}),
		pollsFailed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_status_polls_failed_total", Help: "Status polls of orders that could not be made or written down. The log names the order.",
		}, []string{"provider"}),
		limitHits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_limit_hits_total", Help: "Orders that went beyond a limit, by its scope, kind and rule; those of mode observe were begun all the same.",
		}, []string{"scope", "kind", "rule", "mode"}),
		sealsBroken: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_seals_broken_total", Help: "Rows that were met in use and are not as payrelay wrote them, by table. The log names each.",
		}, []string{"table"}),
		mandateCharges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_mandate_charges_total", Help: "Charges of mandates that ended, by their result; unauthorized ones a provider made by its own schedule against the terms.",
		}, []string{"result"}),
		chargesRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "payrelay_scheduled_charges_refused_total", Help: "Times that a scheduled charge of a mandate could not begin, because its shop or account takes none. The log names the mandate.",
		}),
		log: log,
	}
	for _, result := range []string{"succeeded", "failed", "canceled", chargeUnauthorized} { // from zero on, or the first would be no increase
		o.mandateCharges.WithLabelValues(result)
	}
	o.sealsBroken.WithLabelValues("orders")
	for _, provider := range offlineDrivers().Names() { // from zero on, or the first would be no increase
		o.credentialsDeclined.WithLabelValues(provider)
		o.pollsFailed.WithLabelValues(provider)
		o.callbacks.WithLabelValues(provider, string(payment.NoOrder))
	}
	reg.MustRegister(o.observations, o.conflicts, o.callbacks, o.genuine, o.pendingVerifications, o.failovers, o.routed, o.ended, o.credentialsDeclined, o.pollsFailed, o.limitHits, o.sealsBroken, o.mandateCharges, o.chargesRefused)
	return o
}

// pollFailed is worker.Config.PollFailed.
func (o *observer) pollFailed(provider string) { o.pollsFailed.WithLabelValues(provider).Inc() }

// limitHit is store.Options.LimitHit.
func (o *observer) limitHit(ctx context.Context, shop string, h payment.LimitHit) {
	mode := map[bool]string{false: "observe", true: "enforce"}[h.Enforced]
	o.limitHits.WithLabelValues(string(h.Scope), string(h.Kind), string(h.Rule), mode).Inc()
	line := o.log.Warn().Str("request_id", httpapi.RequestID(ctx)).Str("shop", shop).Str("scope", string(h.Scope)).Str("kind", string(h.Kind)).Str("currency", string(h.Currency)).
		Str("rule", string(h.Rule)).Str("mode", mode).Int64("amount", h.Amount).Int64("orders", h.Orders).Int64("used_amount", h.UsedAmount).Int64("used_orders", h.UsedOrders)
	if h.FreeAt != nil {
		line = line.Time("free_at", *h.FreeAt)
	}
	if h.Rule == payment.LimitDuplicate {
		line = line.Stringer("duplicate_of", h.DuplicateOf)
	}
	line.Msg("an order goes beyond a limit")
}

// sealBroken is store.Options.SealBroken. The log names the alert, under which the runbook says what to do.
func (o *observer) sealBroken(f store.Finding) {
	o.sealsBroken.WithLabelValues(f.Table).Inc()
	alert := "PayrelayRowAltered"
	if strings.HasPrefix(f.Table, "order") || strings.HasPrefix(f.Table, "payout") {
		alert = "PayrelaySealBroken"
	}
	o.log.Error().Str("table", f.Table).Str("id", f.ID).Str("reason", f.What).Msg("a row was changed past payrelay, and is not used: see " + alert + " in the runbook")
}

// chargeUnauthorized is the result of a charge that took money against the terms. Any other has its status.
const chargeUnauthorized = "unauthorized"

// outcomeDeclined is the outcome of an attempt that an account declined before the order went to another one.
const outcomeDeclined = "declined"

// countEnd counts an order, or an attempt of one, that came to its end.
func (o *observer) countEnd(provider, account string, e payment.Ended) {
	if e.Declined {
		o.ended.WithLabelValues(provider, account, e.Kind, e.Method, outcomeDeclined, e.Category).Inc()
		return
	}
	o.ended.WithLabelValues(provider, account, e.Kind, e.Method, string(e.Status), e.Category).Inc()
	switch {
	case e.Unauthorized:
		o.mandateCharges.WithLabelValues(chargeUnauthorized).Inc()
	case e.Kind == payment.KindCharge:
		o.mandateCharges.WithLabelValues(string(e.Status)).Inc()
	}
}

// observe is payment.Config.Observe.
func (o *observer) observe(e payment.Event) {
	if e.Callback != "" {
		o.callbacks.WithLabelValues(e.Provider, e.Callback).Inc()
		if e.Callback != payment.CallbackRejected {
			o.genuine.WithLabelValues(e.Provider, e.Account, e.Secrets).Inc()
		}
	}
	if e.Elsewhere != "" {
		o.failovers.WithLabelValues(e.Account, e.Elsewhere, e.Reason).Inc()
		o.log.Warn().Str("account", e.Account).Str("elsewhere", e.Elsewhere).Str("reason", e.Reason).Stringer("order_id", e.Order).Msg("the order goes to another account")
	}
	if e.Routed != "" {
		o.routed.WithLabelValues(e.Routed, cmp.Or(e.Account, "none")).Inc()
	}
	if e.Ended != nil {
		o.countEnd(e.Provider, e.Account, *e.Ended)
	}
	if e.ChargeRefused != nil {
		o.chargesRefused.Inc()
		o.log.Warn().Err(e.ChargeRefused).Str("account", e.Account).Stringer("mandate_id", e.Order).Msg("a scheduled charge could not begin; it is tried again in an hour")
	}
	if e.Rule != "" {
		o.pendingVerifications.WithLabelValues(e.Provider, e.Account, e.Rule).Inc()
	}
	if e.CredentialsRefused {
		o.credentialsDeclined.WithLabelValues(e.Provider).Inc()
		o.log.Error().Str("provider", e.Provider).Str("account", e.Account).Msg("the provider refuses the account's credentials")
	}
	if e.Verdict == "" {
		return
	}
	o.observations.WithLabelValues(e.Provider, string(e.Source), string(e.Verdict)).Inc()
	if e.Conflicts > 0 {
		o.conflicts.WithLabelValues(e.Provider, string(e.Source)).Add(float64(e.Conflicts))
		o.log.Error().Str("provider", e.Provider).Str("source", string(e.Source)).Str("kind", string(e.Kind)).Stringer("order_id", e.Order).Msg("conflict: an observation contradicts what is recorded")
	}
}

// gauges reads the state of all orders from the database each time Prometheus asks.
type gauges struct {
	read   func(ctx context.Context) (store.Gauges, error)
	orders *prometheus.Desc
	// disputes are counted by kind; of due there is no value while no open dispute has a date.
	disputes, due *prometheus.Desc
	single        map[string]*prometheus.Desc
}

func newGauges(read func(ctx context.Context) (store.Gauges, error)) *gauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("payrelay_"+name, help, labels, nil)
	}
	return &gauges{
		read:     read,
		orders:   desc("orders_unfinished", "Orders that are not final.", "kind", "provider", "status"),
		disputes: desc("disputes_open", "Disputes that have not ended.", "kind"),
		due:      desc("dispute_due_seconds", "For how long the most urgent open dispute can be answered yet; absent without a date."),
		single: map[string]*prometheus.Desc{
			"unknown":       desc("oldest_unknown_seconds", "Age of the oldest order whose outcome is unknown; 0 without one."),
			"processing":    desc("oldest_processing_seconds", "Age of the oldest order that waits for its provider to end it; 0 without one."),
			"conflicts":     desc("conflicts_open", "Orders with a contradiction that no operator has settled."),
			"backlog":       desc("notification_backlog", "Notifications that wait to be delivered."),
			"oldest":        desc("notification_oldest_seconds", "Age of the oldest notification that waits; 0 without one."),
			"dead_lettered": desc("notification_dead_lettered", "Notifications that were given up on and wait for an operator."),
			"overdrawn":     desc("disputes_overdrawn", "Open disputes that took more than was left of their payments."),
			"shops_off":     desc("shops_switched_off", "Shops with an address that an answer of 410 switched off."),
			"poll":          desc("status_poll_lag_seconds", "How long the most overdue status poll has been due; 0 without one."),
			"retention":     desc("retention_age_seconds", "How long ago everything that is old was removed last."),
		},
	}
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- g.orders
	ch <- g.disputes
	ch <- g.due
	for _, d := range g.single {
		ch <- d
	}
}

// Collect implements prometheus.Collector. While the database does not answer, the gauges are absent rather than wrong.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	state, err := g.read(ctx)
	if err != nil {
		return
	}
	for _, u := range state.Unfinished {
		ch <- prometheus.MustNewConstMetric(g.orders, prometheus.GaugeValue, float64(u.Count), string(u.Kind), u.Provider, string(u.Status))
	}
	for _, kind := range payment.DisputeKinds {
		ch <- prometheus.MustNewConstMetric(g.disputes, prometheus.GaugeValue, float64(state.Disputes[kind]), string(kind))
	}
	if state.DisputeDue != nil {
		ch <- prometheus.MustNewConstMetric(g.due, prometheus.GaugeValue, state.DisputeDue.Seconds())
	}
	for name, v := range map[string]float64{
		"unknown": state.OldestUnknown.Seconds(), "processing": state.OldestProcessing.Seconds(), "conflicts": float64(state.ConflictsOpen), "backlog": float64(state.Backlog),
		"oldest": state.OldestPending.Seconds(), "dead_lettered": float64(state.DeadLettered), "shops_off": float64(state.ShopsOff), "overdrawn": float64(state.DisputesOverdrawn), "poll": state.CheckLag.Seconds(),
		"retention": state.SinceRemoval.Seconds(),
	} {
		ch <- prometheus.MustNewConstMetric(g.single[name], prometheus.GaugeValue, v)
	}
}
