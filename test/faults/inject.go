package faults

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/sandbox/host"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
)

// inject plays the plan's faults until load ends; every fault is over when it returns.
func (r *run) inject(ctx, load context.Context) {
	var wg sync.WaitGroup
	for _, f := range r.plan.Faults {
		if f.Kind == "kill_point" || f.Kind == "pause_point" {
			continue // in the replica's environment
		}
		wg.Go(func() {
			if !wait(load, f.At) {
				return
			}
			during := load
			if f.Kind == "pause" { // which may outlast the load
				during = ctx
			}
			from, before := time.Now(), r.met(f)
			took, err := r.apply(during, f)
			switch met := r.met(f); {
			case err != nil:
				r.log("fault %s: %v", f, err)
			case !took, before >= 0 && met <= before:
				r.log("fault %s: met nothing", f)
			default:
				r.injections.add(injectionOf(f, from, time.Now()))
			}
		})
	}
	wg.Wait()
}

// met counts what a fault of this kind can affect, so far: requests that a provider got, refunds that it failed,
// notifications that met a bad-tempered shop. It is negative for kinds that know by themselves whether they took effect.
func (r *run) met(f Fault) int {
	switch f.Kind {
	case "provider_cut", "provider_slow", "provider_torn", "account_dead":
		if f.Simulator == "uapay" {
			return len(r.simulators.UAPAY().Requests(""))
		}
		return len(r.simulators.SmartCore().Requests(""))
	case "provider_clock":
		return len(r.simulators.UAPAY().Requests(""))
	case "refunds_fail":
		return count(r.simulators.SmartCore().Orders(0), func(o smartcore.Order) bool {
			return o.Operation == smartcore.OpRefund && o.Status == smartcore.StatusFailed
		})
	case "shop_500", "shop_hang", "shop_lost":
		return r.receivers[f.Shop%len(r.receivers)].met()
	}
	return -1
}

// apply does one fault and undoes it after its time. took is false if there was nothing that it could affect.
func (r *run) apply(ctx context.Context, f Fault) (took bool, err error) {
	do, ok := appliers[f.Kind]
	if !ok {
		return false, fmt.Errorf("no such fault")
	}
	return do(r, ctx, f)
}

// appliers are the ways to do a fault, by its kind.
var appliers = map[string]func(*run, context.Context, Fault) (took bool, err error){
	"simulator": (*run).misbehave,
	"kill": func(r *run, _ context.Context, f Fault) (bool, error) {
		return r.replica(f).signal(syscall.SIGKILL), nil
	},
	"stop":  (*run).stop,
	"pause": (*run).pause,
	"clock": (*run).moveClock,
	"provider_clock": func(r *run, ctx context.Context, f Fault) (bool, error) {
		if err := r.uapayClock(f.Size); err != nil {
			return false, err
		}
		wait(ctx, f.For)
		return true, r.uapayClock(0)
	},
	"db_crash":     func(r *run, ctx context.Context, f Fault) (bool, error) { return true, r.Database.crash(ctx, f.For/2) },
	"db_cut":       (*run).cutDatabase,
	"db_slow":      (*run).slowDatabase,
	"db_silent":    (*run).silenceDatabase,
	"db_locked":    func(r *run, ctx context.Context, f Fault) (bool, error) { return true, r.lockOrders(ctx, f.For) },
	"db_exhausted": func(r *run, ctx context.Context, f Fault) (bool, error) { return true, r.exhaust(ctx, f.For) },
	"provider_cut": func(r *run, ctx context.Context, f Fault) (bool, error) {
		return r.spoilAll(ctx, f, "reset_peer", "downstream", map[string]any{"timeout": 20})
	},
	"provider_slow": func(r *run, ctx context.Context, f Fault) (bool, error) {
		return r.spoilAll(ctx, f, "latency", "downstream", map[string]any{"latency": 2 * f.Size.Milliseconds()})
	},
	"provider_torn": func(r *run, ctx context.Context, f Fault) (bool, error) {
		return r.spoilAll(ctx, f, "limit_data", "downstream", map[string]any{"bytes": 700})
	},
	"account_dead": (*run).killAccount,
	"storm": func(r *run, ctx context.Context, f Fault) (bool, error) {
		return r.front.storm(ctx, 40, int(f.Size.Milliseconds())) > 0, nil
	},
	"shop_500":     (*run).failReceiver,
	"shop_hang":    (*run).failReceiver,
	"shop_lost":    (*run).failReceiver,
	"refunds_fail": func(r *run, ctx context.Context, f Fault) (bool, error) { return true, r.refundsFail(ctx, f.For) },
}

// replica is the server that a fault is of.
func (r *run) replica(f Fault) *replica { return r.replicas[f.Replica%len(r.replicas)] }

// dbLink is that server's way to the database.
func (r *run) dbLink(f Fault) *link { return r.dbLinks[f.Replica%len(r.dbLinks)] }

func (r *run) stop(ctx context.Context, f Fault) (took bool, err error) {
	took = r.replica(f).signal(syscall.SIGTERM)
	wait(context.WithoutCancel(ctx), time.Second) // it ends what is under way
	return took, nil
}

func (r *run) pause(ctx context.Context, f Fault) (took bool, err error) {
	took = r.replica(f).signal(syscall.SIGSTOP)
	wait(ctx, f.For)
	r.replica(f).signal(syscall.SIGCONT) // whichever process is there now
	return took, nil
}

func (r *run) moveClock(ctx context.Context, f Fault) (took bool, err error) {
	if err := r.replica(f).setClock(f.Size); err != nil {
		return false, err
	}
	wait(ctx, f.For)
	return r.replica(f).running(), r.replica(f).setClock(0)
}

func (r *run) cutDatabase(ctx context.Context, f Fault) (took bool, err error) {
	r.linkMu.Lock()
	r.dbLink(f).cut()
	r.linkMu.Unlock()
	wait(ctx, f.For)
	r.linkMu.Lock()
	defer r.linkMu.Unlock()
	return true, r.dbLink(f).heal()
}

func (r *run) slowDatabase(ctx context.Context, f Fault) (took bool, err error) {
	quarter := f.Size.Milliseconds() / 4
	return r.spoil(ctx, f, r.dbLink(f), "latency", "downstream", map[string]any{"latency": quarter, "jitter": quarter})
}

// silenceDatabase leaves connections open that carry nothing.
func (r *run) silenceDatabase(ctx context.Context, f Fault) (took bool, err error) {
	r.linkMu.Lock()
	err = r.dbLink(f).toxic("timeout", "upstream", map[string]any{"timeout": 0})
	r.linkMu.Unlock()
	if err != nil {
		return false, err
	}
	return r.spoil(ctx, f, r.dbLink(f), "timeout", "downstream", map[string]any{"timeout": 0})
}

func (r *run) failReceiver(ctx context.Context, f Fault) (took bool, err error) {
	rec := r.receivers[f.Shop%len(r.receivers)]
	rec.be(f.Kind)
	wait(ctx, f.For)
	rec.be("")
	return true, nil
}

// spoilAll lets the links of a provider's merchants misbehave for a fault's time.
func (r *run) spoilAll(ctx context.Context, f Fault, kind, stream string, attributes map[string]any) (took bool, err error) {
	var all sync.WaitGroup
	var failed error
	for _, m := range r.merchants {
		if m.provider == f.Simulator {
			all.Go(func() {
				if _, err := r.spoil(ctx, f, m.link, kind, stream, attributes); err != nil {
					r.linkMu.Lock()
					defer r.linkMu.Unlock()
					failed = err
				}
			})
		}
	}
	all.Wait()
	return true, failed
}

// killAccount lets the host of an account's merchant refuse connections or show a certificate that nobody trusts, or the account
// call a host that has no name. The other accounts live.
func (r *run) killAccount(ctx context.Context, f Fault) (took bool, err error) {
	after := context.WithoutCancel(ctx) // it may end with the load
	die, live := func() error { return r.reach(ctx, f.Account, noName) }, func() error { return r.reach(after, f.Account, "") }
	if f.How != deadNoName {
		m := r.merchants[merchantOf(f.Account)]
		die = func() error { return m.host.Set(ctx, host.State(f.How)) }
		live = func() error { return m.host.Set(after, host.Open) }
	}
	if err := die(); err != nil {
		return false, err
	}
	wait(ctx, f.For)
	return true, live()
}

// spoil lets a link misbehave for a fault's time.
func (r *run) spoil(ctx context.Context, f Fault, l *link, kind, stream string, attributes map[string]any) (took bool, err error) {
	r.linkMu.Lock()
	err = l.toxic(kind, stream, attributes)
	r.linkMu.Unlock()
	if err != nil {
		return false, err
	}
	wait(ctx, f.For)
	r.linkMu.Lock()
	defer r.linkMu.Unlock()
	return true, l.heal()
}

// misbehave switches a simulator's fault on for a while, and reports whether a request or callback met it.
func (r *run) misbehave(ctx context.Context, f Fault) (met bool, err error) {
	add, list, remove := r.simulators.SmartCore().AddFault, r.simulators.SmartCore().Faults, r.simulators.SmartCore().RemoveFault
	if f.Simulator == "uapay" {
		add, list, remove = r.simulators.UAPAY().AddFault, r.simulators.UAPAY().Faults, r.simulators.UAPAY().RemoveFault
	}
	id, err := add(f.Fault)
	if err != nil {
		return false, err
	}
	wait(ctx, f.For)
	met = true // one that is on no longer has taken effect as often as it may
	for _, on := range list() {
		if on.ID == id {
			met = on.Hits > 0
		}
	}
	remove(id)
	return met, nil
}

// lockOrders keeps everybody from the orders, as a careless migration would.
func (r *run) lockOrders(ctx context.Context, d time.Duration) error {
	conn, err := pgx.Connect(ctx, r.direct)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"); err != nil {
			return err
		}
		wait(ctx, d)
		return nil
	})
}

// exhaust leaves the service next to no connections.
func (r *run) exhaust(ctx context.Context, d time.Duration) error {
	if err := r.Database.exec(ctx, r.Database.admin, "ALTER ROLE "+appRole+" CONNECTION LIMIT 2"); err != nil {
		return err
	}
	_ = r.Database.exec(ctx, r.Database.admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+appRole+"'")
	wait(ctx, d)
	return r.unexhaust()
}

// unexhaust takes the limit back, also after a crash in between.
func (r *run) unexhaust() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		err := r.Database.exec(ctx, r.Database.admin, "ALTER ROLE "+appRole+" CONNECTION LIMIT -1")
		if err == nil || !wait(ctx, 100*time.Millisecond) {
			return err
		}
	}
}

func (r *run) refundsFail(ctx context.Context, d time.Duration) error {
	set := func(fails bool) error {
		return r.simulators.SmartCore().UpdateSettings(refundFails(fails))
	}
	if err := set(true); err != nil {
		return err
	}
	wait(ctx, d)
	return set(false)
}

// uapayClock moves what UAPAY takes for the time, which is the same as ours being off: it refuses calls that are signed
// more than 20 seconds before or after.
func (r *run) uapayClock(by time.Duration) error {
	return r.simulators.UAPAY().UpdateSettings(func(s *uapay.Settings) { s.AnswerSkewS = int(by.Seconds()) })
}

// calm ends what is left of every fault.
func (r *run) calm(ctx context.Context) error {
	for _, rep := range r.replicas {
		rep.disarmed(ctx)
	}
	r.simulators.SmartCore().ClearFaults()
	r.simulators.UAPAY().ClearFaults()
	for _, rec := range r.receivers {
		rec.be("")
	}
	if err := r.revive(ctx); err != nil {
		return err
	}
	r.linkMu.Lock()
	defer r.linkMu.Unlock()
	for _, l := range r.dbLinks {
		if err := l.heal(); err != nil {
			return err
		}
	}
	for _, rep := range r.replicas {
		if err := rep.setClock(0); err != nil {
			return err
		}
	}
	if err := r.uapayClock(0); err != nil {
		return err
	}
	return r.unexhaust()
}

// revive opens the ways to all merchants again.
func (r *run) revive(ctx context.Context) error {
	for _, m := range r.merchants {
		if err := m.host.Set(ctx, host.Open); err != nil {
			return err
		}
		r.linkMu.Lock()
		err := m.link.heal()
		r.linkMu.Unlock()
		if err != nil {
			return err
		}
	}
	for _, f := range r.plan.Faults {
		if f.How != deadNoName {
			continue
		}
		err := r.reach(ctx, f.Account, "")
		for try := 0; err != nil && try < 50 && wait(ctx, 200*time.Millisecond); try++ { // the database may have to recover yet
			err = r.reach(ctx, f.Account, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
