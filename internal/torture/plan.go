package torture

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"payrelay/internal/sandbox/fault"
)

// clockSlack is how far apart two replicas' clocks may be: the most that a clock fault moves one.
const clockSlack = 5 * time.Second

// Points are the instants at which a process may be killed.
var Points = []string{
	"order-written", "provider-answered", "outcome-written", "callback-verified", "callback-kept", "job-begun", "check-answered", "notification-sent",
	"answer-kept", "command-written",
}

// Order is one order that a shop will ask for, and what happens to it.
type Order struct {
	At     time.Duration
	Shop   int
	Script string
	Name   string // its reference
	Minor  int64
	// Choices of the script, each drawn here so that no script needs a source of chance of its own.
	Outcome string
	Pause   time.Duration
	Then    string
	Part    int64
	// Double sends the first request twice at the same time, with one Idempotency-Key.
	Double bool
}

// Fault is one thing that goes wrong for a while.
type Fault struct {
	At   time.Duration
	For  time.Duration
	Kind string
	// Replica, Point, Nth and Twin are used by the kinds that need them.
	Replica int
	Point   string
	Nth     int
	Twin    string
	Fault   fault.Fault
	Size    time.Duration
}

func (f Fault) String() string {
	s := fmt.Sprintf("%s@%dms", f.Kind, f.At.Milliseconds())
	switch {
	case f.Point != "":
		return s + ":" + f.Point + ":" + fmt.Sprint(f.Nth)
	case f.Twin != "":
		return s + ":" + f.Twin + ":" + string(f.Fault.Kind)
	}
	return s
}

// Name is what a fault counts as in the coverage.
func (f Fault) Name() string {
	switch {
	case f.Point != "":
		return f.Kind + ":" + f.Point
	case f.Twin != "":
		return "twin:" + string(f.Fault.Kind)
	}
	return f.Kind
}

// Plan is everything that a seed decides.
type Plan struct {
	Seed     int64
	Replicas int
	Load     time.Duration
	Orders   []Order
	Faults   []Fault
	// Restarts is how long each replica stays away after its nth death.
	Restarts []time.Duration
	// Twin settings that differ between installations of the provider.
	CapturePending int
	CaptureAnswer  string
	UnknownOrder   string
}

// scripts and how often each is drawn, of a hundred.
var scripts = []struct {
	name   string
	weight int
}{
	{"hosted", 22}, {"direct", 20}, {"hold", 14}, {"payout", 10}, {"uapay_hosted", 18}, {"uapay_hold", 8}, {"uapay_payout", 8},
}

// kinds are the faults besides those of the twins, which are drawn as often as all of these.
var kinds = []string{
	"kill", "kill", "kill_point", "kill_point", "kill_point", "stop", "db_crash", "db_slow", "db_locked", "db_exhausted", "db_cut", "provider_cut", "provider_slow",
	"provider_torn", "storm", "storm", "clock", "shop_500", "shop_hang", "shop_lost", "refunds_fail",
}

// NewPlan makes the plan of a seed. replicas 0 lets the seed choose.
func NewPlan(seed int64, orders, replicas int) Plan {
	r := rand.New(rand.NewPCG(uint64(seed), 0x70617972656c6179)) //nolint:gosec // a plan must be repeatable
	p := Plan{
		Seed: seed, Replicas: 1 + r.IntN(2), Load: 6*time.Second + time.Duration(max(0, orders-200))*20*time.Millisecond,
		CapturePending: []int{0, 0, 400}[r.IntN(3)], CaptureAnswer: []string{"short", "full"}[r.IntN(2)], UnknownOrder: []string{"err", "404"}[r.IntN(2)],
	}
	if replicas > 0 {
		p.Replicas = replicas
	}
	total := 0
	for _, s := range scripts {
		total += s.weight
	}
	for i := range orders {
		o := Order{
			At: time.Duration(r.Int64N(int64(p.Load))), Shop: r.IntN(2), Name: fmt.Sprintf("t%d-%d", seed, i), Minor: 2 * (500 + r.Int64N(5000)),
			Pause: time.Duration(20+r.IntN(600)) * time.Millisecond,
		}
		for n := r.IntN(total); ; {
			s := scripts[0]
			for _, s = range scripts {
				if n -= s.weight; n < 0 {
					break
				}
			}
			o.Script = s.name
			break
		}
		o.Outcome = []string{"success", "success", "success", "success", "fail", "abandon", "challenge"}[r.IntN(7)]
		o.Then = []string{"", "refund", "halves", "race", "beyond", "capture", "part", "cancel", "both"}[r.IntN(9)]
		o.Part, o.Double = 1+r.Int64N(o.Minor-1), r.IntN(8) == 0
		p.Orders = append(p.Orders, o)
	}
	slices.SortFunc(p.Orders, func(a, b Order) int { return int(a.At - b.At) })
	for range 6 + r.IntN(6) {
		p.Faults = append(p.Faults, drawFault(r, p))
	}
	// Always one that ends a process at an instant that matters.
	p.Faults = append(p.Faults, Fault{Kind: "kill_point", Replica: r.IntN(p.Replicas), Point: Points[r.IntN(len(Points))], Nth: 1 + r.IntN(15)})
	// And always one after which nobody knows what became of some orders.
	lost := Fault{At: time.Duration(r.Int64N(int64(p.Load / 3))), For: p.Load, Kind: "twin", Twin: "smartcore"}
	lost.Fault = fault.Fault{Kind: []fault.Kind{fault.DropAfter, fault.BadGatewayAfter, fault.TruncatedJSON}[r.IntN(3)], Endpoint: []string{"initPayment", "initPaymentHost2Host"}[r.IntN(2)], Count: 4 + r.IntN(8)}
	p.Faults = append(p.Faults, lost)
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	for range 64 {
		p.Restarts = append(p.Restarts, time.Duration(100+r.IntN(900))*time.Millisecond)
	}
	return p
}

func drawFault(r *rand.Rand, p Plan) Fault {
	f := Fault{At: time.Duration(r.Int64N(int64(p.Load - 500*time.Millisecond))), For: time.Duration(300+r.IntN(1500)) * time.Millisecond, Replica: r.IntN(p.Replicas)}
	if r.IntN(2) == 0 {
		drawTwinFault(r, &f)
		return f
	}
	f.Kind = kinds[r.IntN(len(kinds))]
	switch f.Kind {
	case "kill_point":
		f.At, f.Point, f.Nth = 0, Points[r.IntN(len(Points))], 1+r.IntN(40)
	case "clock":
		f.Size = []time.Duration{-3 * time.Second, -time.Second, time.Second, 4 * time.Second}[r.IntN(4)]
	case "db_slow", "provider_slow":
		f.Size = time.Duration(50+r.IntN(500)) * time.Millisecond
	case "storm":
		f.Size = time.Duration(2+r.IntN(8)) * time.Millisecond // so many times
	}
	return f
}

// twinFaults are the misbehaviours of a provider that a service can be held to survive. A check or a signed callback
// that says something false about money is not among them: nobody could tell.
var twinFaults = slices.Concat(fault.HTTP, []fault.Kind{fault.CheckNotFound, fault.CheckLie}, fault.Callback, []fault.Kind{fault.CallbackBeforeAnswer})

var endpoints = map[string][]string{
	"smartcore": {"", "initPayment", "initPaymentHost2Host", "authorize", "capture", "cancel", "check", "refund", "withdrawal/init"},
	"uapay":     {"", "", ""},
}

var forged = map[string][]string{
	"smartcore": {"wrong_signature", "wrong_secret", "unsigned", "tampered", "F01", "F02", "F03", "F04", "F05", "F06", "F07", "F08", "F09"},
	"uapay":     {"wrong_key", "alg_none", "unsigned", "malformed", "tampered"},
}

func drawTwinFault(r *rand.Rand, f *Fault) {
	f.Kind, f.Twin = "twin", []string{"smartcore", "smartcore", "uapay"}[r.IntN(3)]
	f.For = time.Duration(500+r.IntN(2500)) * time.Millisecond
	f.Fault = fault.Fault{Kind: twinFaults[r.IntN(len(twinFaults))], Count: 1 + r.IntN(12), DelayMS: 100 + r.IntN(2500), Times: 2 + r.IntN(5)}
	switch k := f.Fault.Kind; {
	case slices.Contains(fault.HTTP, k):
		f.Fault.Endpoint = endpoints[f.Twin][r.IntN(len(endpoints[f.Twin]))]
	case k == fault.CheckNotFound:
		f.Fault.ForMS = 1500 // less than the delay that the service allows the provider
	case k == fault.CheckLie:
		f.Fault.Status, f.Fault.Code = 1, "" // "still working"
		if f.Twin == "uapay" {
			f.Fault.Code = "PENDING"
		}
	case k == fault.CallbackForged:
		f.Fault.Variant = forged[f.Twin][r.IntN(len(forged[f.Twin]))]
	case k == fault.CallbackBeforeAnswer:
		f.Fault.Endpoint = ""
	}
}
