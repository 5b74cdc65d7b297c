package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"payrelay/internal/sandbox"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/store"
)

const (
	// SettleLimit is how long after the faults stopped every order must have its right final state.
	SettleLimit = 30 * time.Second
	// noticeLimit is how long after the faults stopped every notification must have arrived.
	noticeLimit = 90 * time.Second
	// transactionReportLimit is how long after the faults stopped every statement must be done: a step whose process died is taken
	// again when its lease of 25 s is over, and the pauses between steps grow.
	transactionReportLimit = 60 * time.Second
	// clientLimit is how long after the faults stopped shops go on asking for an answer.
	clientLimit = 25 * time.Second
	// scriptLimit is how long after the faults stopped shops and customers go on with what comes next. What they begin last
	// must be settled by SettleLimit.
	scriptLimit = 15 * time.Second

	providerTimeout = 2 * time.Second
	visibilityDelay = 2 * time.Second

	accountEUR     = "EUR-sandbox"
	accountPayouts = "EUR-sandbox-payout"
	accountUAH     = "UAH-sandbox"
	accountP2P     = "UAH-sandbox-p2p"
)

// Options say how a run is made.
type Options struct {
	Binary   string
	Database *Database
	// Dir gets the logs of each run, in a folder of its own.
	Dir string
	// Keep leaves the database and the logs of runs without violations behind too.
	Keep bool
}

// Report is how a run ended.
type Report struct {
	Seed     int64
	Replicas int
	Orders   int            // orders in the database
	Left     map[string]int // orders left to an operator, by kind and provider
	Statuses map[string]int
	Scripts  map[string]int // orders by what they are and whether money moved: a script that never succeeds tries nothing
	Actions  map[string]int // what shops, customers and providers did beside asking for orders
	Faults   []string       // those that took effect, by name
	Planned  []string       // those of the plan, by name
	Took     time.Duration
	// Compared counts what the snapshot held: a verdict over nothing is worth nothing.
	Compared map[string]int
	Settled  time.Duration // from the end of the faults until every order was settled
	Notified time.Duration // … until every notification had arrived
	// Stolen is the share of the run, from 0 to 1, in which the machine did not let it go on.
	Stolen float64
	Result Result
	Dir    string
}

type run struct {
	Options
	plan       Plan
	dir        string
	name       string // of the database
	direct     string // its address without a proxy
	log        func(format string, args ...any)
	simulators *sandbox.Sandbox
	store      *store.Store
	front      *front
	shops      []*shopper
	replicas   []*replica

	receivers []*receiver
	merchants map[string]*merchant // by id
	dbLinks   []*link
	linkMu    sync.Mutex

	injections injections
	closers    []func()
}

// ErrSetup says that the harness could not build what a run needs: a port, a database, a simulator. Another try may do.
var ErrSetup = errors.New("the run could not be built")

// Do makes one run. An error means that the harness itself failed, which ErrSetup tells from all else; broken promises are in
// the report.
func Do(ctx context.Context, plan Plan, o Options) (report Report, err error) {
	r := &run{Options: o, plan: plan, name: fmt.Sprintf("faults_%d_%d", plan.Seed, time.Now().UnixMilli()), dir: filepath.Join(o.Dir, fmt.Sprintf("seed-%d", plan.Seed))}
	r.direct = o.Database.url(r.name, "")
	if err := r.openLog(); err != nil {
		return report, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for _, c := range slices.Backward(r.closers) {
			c()
		}
		if !o.Keep && err == nil && len(report.Result.Violations) == 0 {
			_ = os.RemoveAll(r.dir)
		}
	}()
	report = Report{Seed: plan.Seed, Replicas: plan.Replicas, Left: map[string]int{}, Statuses: map[string]int{}, Scripts: map[string]int{}, Dir: r.dir}
	err = r.do(ctx, &report)
	return report, err
}

// openLog empties the run's folder, so that the run is judged by its own logs and not by those of a try before, and begins its log.
func (r *run) openLog() error {
	if err := os.RemoveAll(r.dir); err != nil {
		return fmt.Errorf("empty the run's folder: %w", err)
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil { //nolint:gosec // logs without secrets
		return fmt.Errorf("make the run's folder: %w", err)
	}
	lines, err := os.Create(filepath.Join(r.dir, "run.log"))
	if err != nil {
		return err
	}
	r.closers = append(r.closers, func() { _ = lines.Close() })
	var lineMu sync.Mutex
	r.log = func(format string, args ...any) {
		lineMu.Lock()
		defer lineMu.Unlock()
		fmt.Fprintf(lines, "%s %s\n", time.Now().UTC().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
	return nil
}

// do builds what the run needs, makes the run and fills the report.
func (r *run) do(ctx context.Context, report *Report) error {
	began := time.Now()
	if err := r.build(ctx); err != nil {
		away, dead := errors.AsType[notReady](err)
		exits, taken := r.exits()
		if !dead || taken != nil {
			return fmt.Errorf("seed %d: %w: %w", r.plan.Seed, ErrSetup, err)
		}
		indexed{Snapshot: Snapshot{Away: away, Exits: exits}}.lives(&report.Result)
		return nil
	}
	go r.injections.stalls(ctx)
	times, built := kernelTimes(), time.Now()
	snapshot, err := r.execute(ctx, report)
	if err != nil {
		return fmt.Errorf("seed %d: %w", r.plan.Seed, err)
	}
	report.Result = Check(snapshot)
	overdue(&report.Result, report.Settled, report.Notified)
	if few := tooFew(r.plan, snapshot.Rows); few != "" {
		report.Result.add(TooFew, "all", "%s", few)
	}
	r.count(report, snapshot)
	report.Stolen = max(stolen(times, kernelTimes()), idled(snapshot.Injections).Seconds()/time.Since(built).Seconds())
	report.Took = time.Since(began)
	for _, v := range report.Result.Violations {
		r.log("VIOLATION %s", v)
	}
	if len(report.Result.Violations) > 0 {
		return r.printTimelines(ctx, report.Result.Violations)
	}
	return nil
}

// count fills in what a run was made of.
func (r *run) count(report *Report, snapshot Snapshot) {
	for _, f := range r.plan.Faults {
		report.Planned = append(report.Planned, f.Name())
	}
	scripts := map[string]string{}
	for _, o := range r.plan.Orders {
		scripts[o.Name] = o.Script
	}
	for _, row := range snapshot.Rows {
		report.Statuses[row.Status]++
		report.Scripts[called(row, scripts)]++
		if slices.Contains(report.Result.Operator, row.ID) {
			report.Left[row.Kind+" at "+row.Provider]++
			r.log("left to an operator: %s %s at %s %s%s", row.Kind, row.ID, row.Provider, row.Status, trail(row))
		}
	}
	report.Compared = map[string]int{
		"provider orders and refunds": len(snapshot.Effects), "notifications": len(snapshot.Notices), "answers": len(snapshot.Answers), "callbacks": len(snapshot.Callbacks),
		"contradictions": len(snapshot.Contradictions), "money that moved by itself": len(snapshot.Movements), "statements": len(snapshot.Listings), "requests": len(snapshot.Requests),
		"orders that went to another account": count(snapshot.Rows, func(row Row) bool { return len(row.Ended) > 0 }), "attempts of payments": len(snapshot.Attempts),
		"declines that led to another account": count(snapshot.Rows, func(row Row) bool { return slices.ContainsFunc(row.Ended, Ended.Declined) }),
		"views of orders":                      len(snapshot.Views), "probes": len(snapshot.Probes), "subscriptions that UAPAY charged again": recharged(r.simulators.UAPAY().Orders(0)),
	}
	report.Orders, report.Faults = len(snapshot.Rows), injectedFaults(snapshot.Injections)
}

// called is what the totals call an order: its script's name, or what followed from it.
func called(row Row, scripts map[string]string) string {
	name := scripts[row.Reference]
	switch {
	case strings.Contains(row.Reference, afterwards): // they always succeed, and say nothing about the load
		name = "after the faults"
	case row.Kind == "refund" || name == "" && row.Parent == "":
		name = row.Kind
	case name == "":
		name = "charge"
	}
	if row.Status == "succeeded" || row.Status == "authorized" {
		return name + " done"
	}
	return name + " not"
}

// execute loads and hurts the service, waits, and takes the snapshot.
func (r *run) execute(ctx context.Context, report *Report) (Snapshot, error) {
	load, stopFaults := context.WithTimeout(ctx, r.plan.Load)
	defer stopFaults()
	shopping, stopShops := context.WithCancel(ctx)
	defer stopShops()
	waiting, stopWaiting := context.WithCancel(ctx)
	defer stopWaiting()
	p := &player{shops: r.shops, simulators: r.simulators}
	var shops sync.WaitGroup
	for _, o := range r.plan.Orders {
		shops.Go(func() {
			p.play(shopping, waiting, o)
			if waiting.Err() != nil {
				r.log("a shop was busy with %s %s %s until now", o.Script, o.Name, o.Then)
			}
		})
	}
	r.inject(ctx, load)
	<-load.Done()
	if err := r.calm(ctx); err != nil {
		return Snapshot{}, err
	}
	calm := time.Now()
	defer time.AfterFunc(clientLimit, stopShops).Stop()
	defer time.AfterFunc(scriptLimit, stopWaiting).Stop()
	r.log("faults are over")
	away := r.away(ctx)
	shops.Wait()
	var err error
	if _, report.Settled, report.Notified, err = r.settle(ctx, calm, nil, nil); err != nil {
		return Snapshot{}, err
	}
	// Whatever was hurt must have healed: new orders of every kind come to their end, and are in the snapshot with the rest.
	probes, bound := p.recovered(ctx, fmt.Sprintf("t%d%s", r.plan.Seed, afterwards))
	before, err := r.reading(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	customers, repeated := slices.Concat(r.shops, bound), time.Now()
	for _, s := range customers {
		s.replay(ctx)
		s.finish(ctx, calm, r.plan.ExportsFail)
	}
	contradictions, movements := p.contradicted(), p.movedBySelf()
	snapshot, _, _, err := r.settle(ctx, repeated, contradictions, movements)
	if err != nil {
		return Snapshot{}, err
	}
	attempts := map[string][]Attempt{}
	for _, s := range r.shops {
		maps.Copy(attempts, s.attempts(ctx, snapshot.Rows))
	}
	snapshot.Unkept, snapshot.Probes, report.Actions = map[string]bool{}, probes, p.actions
	snapshot.Away, snapshot.Before, snapshot.Attempts = away, before, attempts
	for _, s := range customers {
		s.close(&snapshot)
	}
	if _, err := r.store.VerifyOrders(ctx, store.VerifyScope{}, func(f store.Finding) { snapshot.Altered = append(snapshot.Altered, f) }); err != nil {
		return Snapshot{}, err
	}
	if err := r.witness(&snapshot); err != nil {
		return Snapshot{}, err
	}
	r.front.mu.Lock()
	snapshot.Crashes = append(snapshot.Crashes, r.front.crashes...)
	r.front.mu.Unlock()
	for _, rep := range r.replicas {
		found, unkept, err := crashes(rep.log, snapshot.Injections)
		if err != nil {
			return Snapshot{}, err
		}
		for _, id := range unkept {
			snapshot.Unkept[id] = true
		}
		snapshot.Crashes = append(snapshot.Crashes, found...)
	}
	return snapshot, nil
}

// settle waits until every order is where the provider's records say, and every notification was received. It returns how
// long after calm each of the two was so, zero if it was not. What providers said against themselves and the money that they moved
// must be on record by then, too: some of it is believed only after polls.
func (r *run) settle(ctx context.Context, calm time.Time, said []Contradiction, moved []Movement) (snapshot Snapshot, settled, reported time.Duration, err error) {
	for {
		// Before the database is read: callbacks may still come in, and notifications of what happened meanwhile.
		acked, notices := r.front.acknowledged(), []Notice(nil)
		for _, rec := range r.receivers {
			notices = append(notices, rec.received()...)
		}
		if snapshot, err = readDatabase(ctx, r.direct); err != nil {
			return snapshot, settled, reported, err
		}
		snapshot.Callbacks, snapshot.Notices, snapshot.Contradictions, snapshot.Movements = acked, notices, said, moved
		snapshot.Effects, snapshot.Calls, snapshot.Injections = ledger(r.simulators), calls(r.simulators), r.injections.all()
		open := Unsettled(snapshot)
		if len(open) == 0 && settled == 0 {
			settled = time.Since(calm)
			r.log("settled after %s", settled)
		}
		missing := slices.ContainsFunc(Check(snapshot).Violations, func(v Violation) bool {
			return slices.Contains([]Kind{NotificationGap, MissedConflict, MissedDispute}, v.Kind)
		})
		if !missing && settled > 0 {
			return snapshot, settled, time.Since(calm), nil
		}
		if late := time.Since(calm); len(open) > 0 && late > SettleLimit || late > noticeLimit {
			r.log("%d orders are not settled, first %v", len(open), slices.Concat(open, []Violation{{}})[0])
			return snapshot, settled, reported, nil
		}
		if !wait(ctx, 300*time.Millisecond) {
			return snapshot, settled, reported, errors.New("interrupted")
		}
	}
}

func refundFails(fails bool) func(*smartcore.Settings) {
	return func(s *smartcore.Settings) { s.RefundFails = fails }
}
