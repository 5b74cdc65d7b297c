// Command faults runs payrelay's fault harness; see test/faults.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"payrelay/internal/localpg"
	"payrelay/test/faults"
)

type cli struct {
	Runs     int           `default:"1" help:"How many runs, each with a seed of its own."`
	Seed     int64         `help:"The first run's seed; the next runs count up from it. Without it one is drawn and printed."`
	Orders   int           `default:"210" help:"Orders that shops ask for in each run. Some are refused; refunds come on top."`
	Replicas int           `default:"0" enum:"0,1,2" help:"How many servers; 0 lets the seed choose."`
	For      time.Duration `help:"Begin new runs until so much time has passed, instead of counting them."`
	Lanes    int           `default:"1" help:"How many runs at the same time, each with a Postgres of its own."`
	Break    string        `help:"Switch safeguards off: cascade, dedupe, failover, rowlock, writeahead, timer. The harness must then report violations."`
	Dir      string        `help:"Where data and logs go; a folder in the temporary directory."`
	Keep     bool          `help:"Keep databases and logs of good runs too."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	kong.Parse(&c, kong.Name("faults"), kong.Description("Injects faults into a real payrelay and compares snapshots of what everybody knows."))
	bad, err := c.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
	}
	if bad || err != nil {
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// run makes the runs and reports whether one of them found a violation.
func (c cli) run(ctx context.Context) (bad bool, err error) {
	if err := c.prepare(); err != nil {
		return false, err
	}
	fmt.Printf("faults: first seed %d, logs of bad runs in %s\n", c.Seed, c.Dir)
	binary, err := faults.Build(ctx, c.Dir, c.Break)
	if err != nil {
		return false, err
	}
	begin := time.Now()
	t := &totals{options: c.repeatOptions(), scripts: map[string]int{}, faults: map[string]int{}, left: map[string]int{}, compared: map[string]int{}}
	var workers sync.WaitGroup
	var failed []error
	seeds := c.seeds(ctx, begin, t)
	for worker := range max(c.Lanes, 1) {
		workers.Go(func() {
			if err := c.work(ctx, worker, binary, begin, seeds, t); err != nil && ctx.Err() == nil {
				t.mu.Lock()
				failed = append(failed, err)
				t.mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.print(time.Since(begin))
	if len(t.bad) == 0 && len(failed) == 0 && !c.Keep {
		_ = os.RemoveAll(c.Dir)
	}
	return len(t.bad) > 0 || len(t.campaign.Never()) > 0 || t.tooFew(), errors.Join(failed...)
}

// prepare makes the folder and draws the first seed, where none is given.
func (c *cli) prepare() (err error) {
	if c.Seed == 0 {
		c.Seed = rand.Int64N(1_000_000_000) //nolint:gosec // any number will do
	}
	if c.Dir == "" {
		if c.Dir, err = localpg.MkdirTemp("payrelay-faults-"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // Postgres' account must pass through
		return err
	}
	return os.Chmod(c.Dir, 0o755) //nolint:gosec // see above
}

// seeds hands out one seed after the other, for as long as more runs are wanted.
func (c cli) seeds(ctx context.Context, begin time.Time, t *totals) func() (seed int64, ok bool) {
	next := c.Seed
	return func() (int64, bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		counted := next - c.Seed - t.ineffective - t.inconclusive
		if c.over(ctx, begin) || c.For == 0 && counted >= int64(c.Runs) {
			return 0, false
		}
		next++
		return next - 1, true
	}
}

// over reports whether no more runs are to begin, whatever their number.
func (c cli) over(ctx context.Context, begin time.Time) bool {
	return ctx.Err() != nil || c.For > 0 && time.Since(begin) >= c.For
}

// repeatOptions is what a command line needs beside its seed to make the same plan.
func (c cli) repeatOptions() (text string) {
	if c.Orders != 210 {
		text += fmt.Sprintf(" --orders %d", c.Orders)
	}
	if c.Replicas != 0 {
		text += fmt.Sprintf(" --replicas %d", c.Replicas)
	}
	if c.Break != "" {
		text += " --break " + c.Break
	}
	return text
}

// work makes one run after the other on a Postgres of its own, since begin.
func (c cli) work(ctx context.Context, worker int, binary string, begin time.Time, seeds func() (seed int64, ok bool), t *totals) error {
	db, err := faults.StartDatabase(ctx, filepath.Join(c.Dir, fmt.Sprint("postgres-", worker)))
	if err != nil {
		return err
	}
	defer func() { _ = db.Stop() }()
	for seed, ok := seeds(); ok; seed, ok = seeds() {
		plan := faults.NewPlan(seed, c.Orders, c.Replicas)
		plan.Provoke(c.Break)
		do := func() (faults.Report, error) {
			return faults.Do(ctx, plan, faults.Options{Binary: binary, Database: db, Dir: c.Dir, Keep: c.Keep})
		}
		report, err := do()
		if errors.Is(err, faults.ErrSetup) && ctx.Err() == nil { // such as a port that somebody took in between
			fmt.Printf("seed %d: the harness failed and tries again: %v\n", seed, err)
			report, err = do()
		}
		for try := 1; err == nil && report.Inconclusive() && try < mostTries && !c.over(ctx, begin); try++ {
			t.repeat(report)
			faults.Rest(ctx, 5*time.Minute)
			report, err = do()
		}
		if err != nil {
			return err
		}
		t.add(report)
	}
	return nil
}

// mostTries is how often a run is made whose only violations are of time, while the machine stands still in it. If the last
// one is no better it does not count: it found nothing wrong but what the machine can have done.
const mostTries = 6

// repeat prints a run that is made once more.
func (t *totals) repeat(r faults.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.repeated++
	fmt.Printf("seed %d: %d things were late, in a run in which the machine stood still for %.0f %% of the time: once more\n", r.Seed, len(r.Result.Violations), 100*r.Stolen)
}

// totals is the sum of all runs.
type totals struct {
	mu           sync.Mutex
	options      string // of the command line, which repeat a run
	runs         int
	orders       int
	repeated     int   // because the machine stood still
	ineffective  int64 // runs that do not count, because few faults took effect
	inconclusive int64 // runs that do not count, because the machine stood still in all that were made
	operator     int
	left         map[string]int
	slowest      time.Duration
	scripts      map[string]int
	faults       map[string]int
	compared     map[string]int
	bad          []int64
	campaign     faults.Campaign
}

func (t *totals) add(r faults.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Ineffective() {
		t.ineffective++
		fmt.Printf("seed %d: %s: does not count\n", r.Seed, r.Result.Violations[0])
		return
	}
	if r.Inconclusive() {
		t.inconclusive++
		fmt.Printf("seed %d: %d things were late, in a run in which the machine stood still for %.0f %% of the time: does not count\n", r.Seed, len(r.Result.Violations), 100*r.Stolen)
		return
	}
	t.runs++
	t.campaign.Add(r)
	t.orders += r.Orders
	t.operator += len(r.Result.Operator)
	for k, n := range r.Left {
		t.left[k] += n
	}
	t.slowest = max(t.slowest, r.Settled)
	for k, n := range r.Compared {
		t.compared[k] += n
	}
	for k, n := range r.Scripts {
		t.scripts[k] += n
	}
	for _, f := range r.Faults {
		t.faults[f]++
	}
	verdict := "ok"
	if n := len(r.Result.Violations); n > 0 {
		verdict = fmt.Sprintf("%d VIOLATIONS", n)
		t.bad = append(t.bad, r.Seed)
	}
	fmt.Printf("seed %d: %d replicas, %d orders (%s), %d of %d faults took effect (%s), %s and %s after them, %d left to an operator, %.1fs: %s\n",
		r.Seed, r.Replicas, r.Orders, counts(r.Statuses), len(r.Faults), len(r.Planned), strings.Join(r.Faults, " "), reached("settled", r.Settled),
		reached("notified", r.Notified), len(r.Result.Operator), r.Took.Seconds(), verdict)
	for i, v := range r.Result.Violations {
		if i == 20 {
			fmt.Printf("  … and %d more\n", len(r.Result.Violations)-i)
			break
		}
		fmt.Printf("  %s\n", v)
	}
	if len(r.Result.Violations) > 0 {
		fmt.Printf("  logs: %s   repeat: go run ./cmd/faults --seed %d%s\n", r.Dir, r.Seed, t.options)
	}
}

func (t *totals) print(took time.Duration) {
	fmt.Printf("faults: %d runs, %d orders, %d left to an operator (%s), slowest to settle %.1fs, %s\n", t.runs, t.orders, t.operator, counts(t.left), t.slowest.Seconds(), took.Round(time.Second))
	if t.repeated > 0 {
		fmt.Printf("faults: %d runs were made once more because things were late and the machine stood still\n", t.repeated)
	}
	if t.ineffective > 0 {
		fmt.Printf("faults: %d runs do not count: too few of their faults took effect\n", t.ineffective)
	}
	if t.inconclusive > 0 {
		fmt.Printf("faults: %d runs do not count: the machine stood still however often they were made\n", t.inconclusive)
	}
	fmt.Printf("faults: compared: %s\n", counts(t.compared))
	fmt.Printf("faults: orders: %s\n", counts(t.scripts))
	fmt.Printf("faults: faults: %s\n", counts(t.faults))
	fmt.Printf("faults: actions: %s\n", counts(t.campaign.ActionCounts()))
	for _, name := range t.campaign.Never() {
		fmt.Printf("faults: NEVER HAPPENED in %d runs: %s\n", t.runs, name)
	}
	if len(t.bad) > 0 {
		fmt.Printf("faults: VIOLATIONS with seeds %v\n", t.bad)
	}
}

// tooFew reports whether so many runs do not count that the others prove little.
func (t *totals) tooFew() bool {
	uncounted := t.ineffective + t.inconclusive
	return uncounted > 2 && uncounted > int64(t.runs)/4
}

// reached says when something was, if it ever was.
func reached(what string, after time.Duration) string {
	if after == 0 {
		return "not " + what
	}
	return fmt.Sprintf("%s %.1fs", what, after.Seconds())
}

func counts(m map[string]int) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(list, ", ")
}
