package app

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/store"
)

// Retention is for how many days things are kept. See docs/retention.md.
type Retention struct {
	RetentionOn bool `env:"RETENTION" envDefault:"true" help:"Remove what is old, once a day. With false, run 'server retention run' yourself."`
	Payloads    int  `env:"RETENTION_PAYLOADS" envDefault:"30" range:"1 to 36500" help:"Days until the payload of a delivered notification is removed."`
	Attempts    int  `env:"RETENTION_ATTEMPTS" envDefault:"90" range:"1 to 36500" help:"Days until attempts at deliveries are removed."`
	Calls       int  `env:"RETENTION_CALLS" envDefault:"180" range:"1 to 36500" help:"Days until calls to providers are removed."`
	Callbacks   int  `env:"RETENTION_CALLBACKS" envDefault:"400" range:"30 to 36500" help:"Days until callbacks are removed. A repeat after that is judged anew."`
	Reports     int  `env:"RETENTION_REPORTS" envDefault:"90" range:"1 to 36500" help:"Days until transaction reports and their rows are removed."`
	Answers     int  `env:"RETENTION_ANSWERS" envDefault:"7" range:"7 to 36500" help:"Days until answers under an Idempotency-Key are removed. The API promises seven."`
	Requests    int  `env:"RETENTION_REQUESTS" envDefault:"7" range:"1 to 90" help:"Days until entries of the request log are removed."`
	EraseAfter  int  `env:"ERASURE_AFTER" envDefault:"540" range:"0 to 36500" help:"Days without a change before an order may be erased by command: as long as disputes and returned money may come."`
}

// keep is the same as durations.
func (r Retention) keep() store.Retention {
	days := func(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }
	return store.Retention{
		Payloads: days(r.Payloads), Attempts: days(r.Attempts), Calls: days(r.Calls), Callbacks: days(r.Callbacks), Reports: days(r.Reports), Answers: days(r.Answers), Requests: days(r.Requests),
	}
}

// loadRetention reads the settings of retention alone, for commands.
func loadRetention(environ []string) (r Retention, err error) {
	unread := map[string]bool{}
	problems := parse(&r, env.ToMap(environ), unread)
	problems = append(problems, outOfRange(reflect.ValueOf(r), unread)...)
	if len(problems) > 0 {
		return r, fmt.Errorf("the settings of retention are wrong:\n  - %s", strings.Join(problems, "\n  - "))
	}
	return r, nil
}

type retentionCmd struct {
	Run retentionRunCmd `cmd:"" help:"Remove what is older than the RETENTION_ settings, as the service does once a day. It may be stopped at any time and run again."`
}

type retentionRunCmd struct {
	DryRun bool           `help:"Count what would be removed, and change nothing."`
	Reason operatorReason `placeholder:"TEXT" help:"Why. It is kept in the audit log."`
}

// Run implements the command.
func (c retentionRunCmd) Run(ctx context.Context, io *Streams) error {
	settings, err := loadRetention(io.Environ)
	if err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	var all []store.Removed
	if c.DryRun {
		all, err = db.store.Expired(ctx, settings.keep())
	} else {
		all, err = db.store.Remove(ctx, settings.keep(), 0)
	}
	verb := "REMOVED"
	if c.DryRun {
		verb = "WOULD BE REMOVED"
	}
	table := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TABLE\t"+verb+"\tDROPPED MONTHS")
	for _, r := range all {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\n", r.Table, r.Rows, strings.Join(r.Partitions, " "))
	}
	return errors.Join(err, table.Flush())
}

const (
	// retentionEvery is how often the service asks whether it is time to remove what is old.
	retentionEvery = time.Hour
	// retentionPause lies between two runs: a day, less what a run may take.
	retentionPause = 23 * time.Hour
)

// retainer is the service's daily run.
type retainer struct {
	store    *store.Store
	keep     store.Retention
	rows     *prometheus.CounterVec
	failures prometheus.Counter
}

func newRetainer(st *store.Store, settings Retention, reg prometheus.Registerer) *retainer {
	r := &retainer{
		store: st, keep: settings.keep(),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_retention_rows_total", Help: "Rows that were removed because they are old, by table.",
		}, []string{"table"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "payrelay_retention_failures_total", Help: "Runs of retention that did not remove everything that is old. They are tried again within an hour.",
		}),
	}
	reg.MustRegister(r.rows, r.failures)
	return r
}

// run removes what is old if it is time. That another replica does so is no failure.
func (r *retainer) run(ctx context.Context) error {
	all, err := r.store.Remove(ctx, r.keep, retentionPause)
	for _, removed := range all {
		r.rows.WithLabelValues(removed.Table).Add(float64(removed.Rows))
	}
	if errors.Is(err, store.ErrRetentionBusy) {
		return nil
	}
	if err != nil {
		r.failures.Inc()
	}
	return err
}
