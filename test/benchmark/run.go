package benchmark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/localpg"
)

// Options say how much is measured.
type Options struct {
	Rounds  int           // each measures everything once
	Window  time.Duration // of each measurement
	Warm    time.Duration // before it
	Clients []int         // R1 and R2 are measured with each of these
	Server  string        // the binary to measure; empty: the production build of this code
	Dir     string        // for data and logs; empty: a temporary folder that is removed
	Profile string        // a folder for profiles of the server, and the statements of Postgres; empty: none
	Orders  []int         // if any: nothing is measured but what a life costs among so many orders, for each
	// RequestLog measures nothing but what a life costs with a request log and without one.
	RequestLog bool
	Log        io.Writer
}

// measurement is a run: the processes, and what was measured so far.
type measurement struct {
	Options
	db             *database
	pgbench, own   *pgbench // on plain tables, and on the service's schema
	service        *service
	counted        *pgx.Conn // to the service's database
	variants       []*variant
	variant        string // the present one's name
	provider, shop string // addresses
	paid           int    // paid orders whose notification must have come
	prefixes       int
	figures        *Figures
	closers        []func()
}

// Run measures and returns the figures.
func Run(ctx context.Context, o Options) (figures *Figures, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &measurement{Options: o, figures: &Figures{}}
	defer func() {
		for i := range b.closers {
			b.closers[len(b.closers)-1-i]()
		}
	}()
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	for n := range o.Rounds {
		fmt.Fprintf(o.Log, "round %d of %d\n", n+1, o.Rounds)
		if err := b.round(ctx); err != nil {
			return nil, err
		}
	}
	return b.figures, nil
}

func (b *measurement) build(ctx context.Context) (err error) {
	if b.Dir == "" {
		if b.Dir, err = localpg.MkdirTemp("payrelay-benchmark-"); err != nil {
			return err
		}
		b.closers = append(b.closers, func() { _ = os.RemoveAll(b.Dir) })
	}
	if b.Server == "" {
		if b.Server, err = buildServer(ctx, b.Dir); err != nil {
			return err
		}
	}
	if b.db, err = startDatabase(ctx, filepath.Join(b.Dir, "postgres"), b.Profile != ""); err != nil {
		return err
	}
	b.closers = append(b.closers, func() { b.db.stop(context.WithoutCancel(ctx)) })
	if b.pgbench, b.own, err = newPgbench(ctx, b.db, b.Dir); err != nil {
		return err
	}
	for role, address := range map[string]*string{"provider": &b.provider, "shop": &b.shop} {
		c, at, err := startPeer(ctx, role)
		if err != nil {
			return err
		}
		b.closers = append(b.closers, c.kill)
		*address = at
	}
	switch {
	case len(b.Orders) > 0:
		return b.buildFilled(ctx)
	case b.RequestLog:
		return b.buildRequestLog(ctx)
	}
	b.counted = b.db.conn
	b.service, err = newService(ctx, b.Server, b.Dir, b.db.service, b.provider, b.shop)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, b.service.stop)
	return nil
}

// job is a job for the load, with references that nobody has used.
func (b *measurement) job(what string, clients int) job {
	b.prefixes++
	return job{
		API: b.service.api, Key: b.service.key, Callbacks: b.service.callbacks, Prefix: fmt.Sprintf("order-%d", b.prefixes), What: what, Clients: clients, Ahead: clients,
	}
}

// round measures everything once.
func (b *measurement) round(ctx context.Context) error {
	if len(b.variants) > 0 {
		return b.compare(ctx)
	}
	if err := b.coldStart(ctx); err != nil {
		return err
	}
	for _, clients := range b.Clients {
		if err := b.lives(ctx, clients); err != nil {
			return fmt.Errorf("R1 with %d clients: %w", clients, err)
		}
		if err := b.callbacks(ctx, clients); err != nil {
			return fmt.Errorf("R2 with %d clients: %w", clients, err)
		}
	}
	if err := b.notificationDelay(ctx); err != nil {
		return fmt.Errorf("R3: %w", err)
	}
	if err := b.addedLatency(ctx); err != nil {
		return fmt.Errorf("R4: %w", err)
	}
	b.figures.add("R6", "memory after the load", "MB", memoryOf(b.service.cmd.Process.Pid)/1e6)
	return nil
}

// coldStart measures R6: a start up to the first order, and the memory at rest after it.
func (b *measurement) coldStart(ctx context.Context) error {
	b.service.stop()
	begin := time.Now()
	if err := b.service.start(ctx); err != nil {
		return err
	}
	j := b.job("payments", 1)
	j.Count = 1
	if _, err := runJob(ctx, j, nil); err != nil {
		return fmt.Errorf("R6: %w", err)
	}
	b.figures.add("R6", "cold start to the first order", "ms", milliseconds(time.Since(begin)))
	time.Sleep(b.Warm)
	b.figures.add("R6", "memory at rest", "MB", memoryOf(b.service.cmd.Process.Pid)/1e6)
	return nil
}

// lives measures R1, and what a life costs.
func (b *measurement) lives(ctx context.Context, clients int) error {
	_, lives, err := b.runLives(ctx, clients)
	if err != nil {
		return err
	}
	return errors.Join(b.pgbenchLives(ctx, b.own, "", clients, lives), b.pgbenchLives(ctx, b.pgbench, plainTables, clients, lives))
}

// runLives measures what a life costs, and how many there are a second.
func (b *measurement) runLives(ctx context.Context, clients int) (result loadResult, perSecond float64, err error) {
	result, err = runJob(ctx, b.job("lives", clients), func() (err error) {
		perSecond, err = b.measureLives(ctx, clients)
		return err
	})
	if err != nil {
		return result, 0, err
	}
	b.paid += len(result.Orders)
	_, err = waitPaid(ctx, b.shop, b.paid)
	return result, perSecond, err
}

// named is the name of a figure.
func (b *measurement) named(what string, clients int) string {
	return fmt.Sprintf("%s, %d clients%s", what, clients, b.variant)
}

// plainTables tells figures beside the plain tables from those beside the service's own schema.
const plainTables = ", plain tables"

// pgbenchLives has pgbench write lives to tables, beside which the service's rate is shown.
func (b *measurement) pgbenchLives(ctx context.Context, p *pgbench, tables string, clients int, lives float64) error {
	p.newBase()
	before := b.db.cpu()
	conn, err := connectTo(ctx, p.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	counted, err := readCounters(ctx, conn)
	if err != nil {
		return err
	}
	theirs, err := p.run(ctx, p.life, clients, "-T", seconds(b.Warm+b.Window))
	if err != nil {
		return err
	}
	used, done := b.db.cpu()-before, float64(theirs.done)
	after, err := readCounters(ctx, conn)
	if err != nil {
		return err
	}
	name := func(what string) string { return fmt.Sprintf("%s, %d clients", what+tables, clients) }
	if tables == "" {
		b.figures.add("R1", name("lives"), "/s", lives)
	}
	b.figures.add("R1", name("pgbench, lives"), "/s", theirs.rate)
	b.figures.add("R1", name("ratio"), "", lives/theirs.rate)
	b.figures.add("cost", name("pgbench, Postgres"), "CPU-ms per life", milliseconds(used)/done)
	b.figures.add("cost", name("pgbench, itself"), "CPU-ms per life", milliseconds(theirs.cpu)/done)
	b.figures.add("cost", name("pgbench, WAL syncs"), "per life", (after.WALSyncs-counted.WALSyncs)/done)
	b.figures.add("cost", name("pgbench, WAL"), "bytes per life", (after.WALBytes-counted.WALBytes)/done)
	return nil
}

// measureLives measures a steady load, after it has become steady.
func (b *measurement) measureLives(ctx context.Context, clients int) (perSecond float64, err error) {
	time.Sleep(b.Warm)
	type moment struct {
		at               time.Time
		counted          counters
		server, postgres time.Duration
		shop             received
	}
	read := func() (m moment, err error) {
		m.at, m.server, m.postgres = time.Now(), cpuOf(b.service.cmd.Process.Pid), b.db.cpu()
		if m.shop, err = ask(ctx, b.shop, "/counts"); err != nil {
			return m, err
		}
		m.counted, err = readCounters(ctx, b.counted)
		return m, err
	}
	from, err := read()
	if err != nil {
		return 0, err
	}
	if err := b.watch(ctx, clients); err != nil {
		return 0, err
	}
	if _, err := waitPaid(ctx, b.shop, from.shop.Paid+1); err != nil {
		return 0, err
	}
	to, err := read()
	if err != nil {
		return 0, err
	}
	lives := float64(to.shop.Paid - from.shop.Paid)
	d := to.counted.minus(from.counted)
	add := func(what, unit string, v float64) {
		b.figures.add("cost", b.named(what, clients), unit, v)
	}
	add("server", "CPU-ms per life", milliseconds(to.server-from.server)/lives)
	add("Postgres", "CPU-ms per life", milliseconds(to.postgres-from.postgres)/lives)
	add("notifications", "per life", float64(to.shop.All-from.shop.All)/lives)
	add("transactions", "per life", d.Commits/lives)
	add("WAL", "bytes per life", d.WALBytes/lives)
	add("WAL syncs", "per life", d.WALSyncs/lives)
	add("rows inserted", "per life", d.Inserted/lives)
	add("rows updated", "per life", d.Updated/lives)
	add("rows deleted", "per life", d.Deleted/lives)
	add("updates that are HOT", "%", percent(d.HOT, d.Updated))
	add("updates of orders that are HOT", "%", percent(d.OrdersHOT, d.OrdersUpdated))
	return lives / to.at.Sub(from.at).Seconds(), nil
}

// watch lets the window pass, and takes profiles meanwhile if they are wanted.
func (b *measurement) watch(ctx context.Context, clients int) error {
	if b.Profile == "" || clients != b.Clients[len(b.Clients)-1] {
		time.Sleep(b.Window)
		return nil
	}
	return b.profile(ctx)
}

// callbacks measures R2. Every order is made before, and every notification of it has come.
func (b *measurement) callbacks(ctx context.Context, clients int) error {
	each := max(4, int(b.Window.Seconds()*callbacksPerSecond)/clients)
	orders, err := b.prepared(ctx, each*clients)
	if err != nil {
		return err
	}
	j := b.job("callbacks", clients)
	j.Orders = orders
	result, err := runJob(ctx, j, nil)
	if err != nil {
		return err
	}
	b.paid += len(result.Orders)
	last, err := waitPaid(ctx, b.shop, b.paid)
	if err != nil {
		return err
	}
	ours := float64(len(result.Orders)) / (time.Duration(last.Last) - time.Duration(result.Began)).Seconds()
	b.figures.add("R2", fmt.Sprintf("callbacks judged and delivered, %d clients", clients), "/s", ours)
	return errors.Join(b.pgbenchCallbacks(ctx, b.own, "", clients, each, ours), b.pgbenchCallbacks(ctx, b.pgbench, plainTables, clients, each, ours))
}

// pgbenchCallbacks has pgbench write callbacks to tables, beside which the service's rate is shown.
func (b *measurement) pgbenchCallbacks(ctx context.Context, p *pgbench, tables string, clients, each int, ours float64) error {
	p.newBase()
	if _, err := p.run(ctx, p.open, clients, "-t", strconv.Itoa(each)); err != nil {
		return err
	}
	theirs, err := p.run(ctx, p.callback, clients, "-t", strconv.Itoa(each))
	if err != nil {
		return err
	}
	name := func(what string) string { return fmt.Sprintf("%s, %d clients", what+tables, clients) }
	b.figures.add("R2", name("pgbench, callbacks"), "/s", theirs.rate)
	b.figures.add("R2", name("ratio"), "", ours/theirs.rate)
	return nil
}

// callbacksPerSecond says how many callbacks are prepared for a measurement.
const callbacksPerSecond = 500

// prepared makes payments that wait for their callbacks.
func (b *measurement) prepared(ctx context.Context, count int) ([]order, error) {
	before, err := ask(ctx, b.shop, "/counts")
	if err != nil {
		return nil, err
	}
	j := b.job("payments", b.Clients[0])
	j.Count = count
	result, err := runJob(ctx, j, nil)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		now, err := ask(ctx, b.shop, "/counts")
		if err != nil || now.All >= before.All+len(result.Orders) {
			return result.Orders, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: %d of %d", errLost, now.All-before.All, len(result.Orders))
		}
	}
}

// notificationDelay measures R3: from the callback's first byte to the notification's last.
func (b *measurement) notificationDelay(ctx context.Context) error {
	const idleRate = 20
	orders, err := b.prepared(ctx, max(4, int(b.Window.Seconds()*idleRate)))
	if err != nil {
		return err
	}
	idle := b.job("callbacks", 1)
	idle.Orders, idle.Rate = orders, idleRate
	if err := b.delay(ctx, "idle", idle); err != nil {
		return err
	}
	half := b.job("lives", b.Clients[0])
	half.Length = b.Window
	half.Rate = max(4, b.figures.last("R1", fmt.Sprintf("lives, %d clients", b.Clients[0]))/2)
	return b.delay(ctx, "half load", half)
}

func (b *measurement) delay(ctx context.Context, name string, j job) error {
	if _, err := ask(ctx, b.shop, "/times"); err != nil { // forget those before
		return err
	}
	result, err := runJob(ctx, j, nil)
	if err != nil {
		return err
	}
	b.paid += len(result.Orders)
	if _, err := waitPaid(ctx, b.shop, b.paid); err != nil {
		return err
	}
	times, err := ask(ctx, b.shop, "/times")
	if err != nil {
		return err
	}
	var took []time.Duration
	for _, o := range result.Orders {
		if at, ok := times.PaidTime[o.Reference]; ok {
			took = append(took, time.Duration(at-o.Sent))
		}
	}
	b.figures.add("R3", "callback to notification, "+name+", p50", "ms", milliseconds(quantile(took, 0.5)))
	b.figures.add("R3", "callback to notification, "+name+", p95", "ms", milliseconds(quantile(took, 0.95)))
	return nil
}

// addedLatency measures R4: payments at a rate, and pgbench's lives at the same rate. The provider answers at once, so that the
// whole latency is the service's own.
func (b *measurement) addedLatency(ctx context.Context) error {
	const rate = 50
	j := b.job("payments", 1)
	j.Rate, j.Length = rate, 2*b.Window
	result, err := runJob(ctx, j, nil)
	if err != nil {
		return err
	}
	b.pgbench.newBase()
	if _, err := b.pgbench.run(ctx, b.pgbench.life, b.Clients[0], "-R", strconv.Itoa(rate), "-T", seconds(2*b.Window), "--log"); err != nil {
		return err
	}
	theirs, err := b.pgbench.latencies()
	if err != nil {
		return err
	}
	for _, q := range []float64{0.5, 0.99} {
		name := fmt.Sprintf("p%.0f", 100*q)
		b.figures.add("R4", "payment at 50 a second, "+name, "ms", milliseconds(quantile(result.Took, q)))
		b.figures.add("R4", "pgbench, life at 50 a second, "+name, "ms", milliseconds(quantile(theirs, q)))
	}
	return nil
}
