package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/host"
	"payrelay/internal/sandbox/smartcore"
)

// clockSlack is how far apart two replicas' idea of the database's time may be: each is exact to half a round trip to it,
// and is mended when it is off by half a second.
const clockSlack = time.Second

// Points are the instants at which a process may be killed or stopped.
var Points = []string{
	"order-written", "provider-answered", "outcome-written", "callback-verified", "callback-kept", "job-begun", "check-answered", "notification-sent",
	"batch-claimed", "batch-judged", "batch-committed",
	"answer-kept", "command-written", pointMoved, pointProven,
}

// pointMoved is where an order has gone to another account, and its next attempt is not sent.
const pointMoved = "order-moved"

// pointProven is where a provider has shown that it declined an order which may go elsewhere, and that is not written down.
const pointProven = "decline-proven"

// How an account can be dead: nobody listens at its host, no connection to it is ever made, its certificate is a stranger's, or it has
// no name.
const (
	deadRefused   = string(host.Refused)
	deadVanished  = string(host.Vanished)
	deadUntrusted = string(host.Untrusted)
	deadNoName    = "no_name"
)

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
	// Cascade is which declines may lead to another account, "" if the request does not say.
	Cascade string
	// Double sends the first request twice at the same time, with one Idempotency-Key.
	Double bool
}

// Fault is one thing that goes wrong for a while.
type Fault struct {
	At   time.Duration
	For  time.Duration
	Kind string
	// Replica, Shop, Point, Nth, Simulator (a provider's name), Account, How and Size are used by the kinds that need them.
	Replica   int
	Shop      int
	Point     string
	Nth       int
	Simulator string
	Fault     fault.Fault
	Account   string
	How       string // the account is dead
	Size      time.Duration
}

func (f Fault) String() string {
	s := fmt.Sprintf("%s@%dms", f.Kind, f.At.Milliseconds())
	switch {
	case f.Point != "":
		return s + ":" + f.Point + ":" + fmt.Sprint(f.Nth)
	case f.How != "":
		return s + ":" + f.How + ":" + f.Account
	case f.Simulator != "":
		return strings.TrimSuffix(s+":"+f.Simulator+":"+string(f.Fault.Kind), ":")
	}
	return s
}

// Name is what a fault counts as in the coverage.
func (f Fault) Name() string {
	switch {
	case f.Point != "":
		return f.Kind + ":" + f.Point
	case f.Kind == "simulator":
		return "simulator:" + string(f.Fault.Kind)
	case f.How != "":
		return f.Kind + ":" + f.How
	case f.Simulator != "":
		return f.Kind + ":" + f.Simulator
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
	// Simulator settings that differ between installations of the provider.
	CapturePending int
	CaptureAnswer  string
	UnknownOrder   string
	ChargeForm     bool // a charge of a kept card needs the customer
	ChargeSuccess  bool // what an accepted charge is answered, which means nothing
	ExportsFail    bool
	// SlowDecisions has SmartCore decide about a card later than a request waits for it.
	SlowDecisions bool
}

// scripts and how often each is drawn, of a hundred.
var scripts = []struct {
	name   string
	weight int
}{
	{"hosted", 20},
	{"direct", 18},
	{"hold", 14},
	{"payout", 8},
	{"uapay_hosted", 14},
	{"uapay_hold", 8},
	{"uapay_payout", 8},
	{"recurring", 8},
	{"uapay_recurring", 4},
	{"uapay_card", 8},
	{"uapay_card_hold", 3},
	{"transfer", 9},
	{"payout_card", 4},
	{"statement", 1},
}

// kinds are the faults besides those of the simulators, which are drawn as often as all of these.
var kinds = []string{
	"kill", "kill", "kill_point", "kill_point", "kill_point", "stop", "pause", "pause", "pause_point", "pause_point", "db_crash", "db_slow", "db_locked", "db_exhausted",
	"db_cut", "db_silent", "provider_cut", "provider_slow", "provider_torn", "storm", "storm", "clock", "provider_clock", "shop_500", "shop_hang", "shop_lost", "refunds_fail",
	"account_dead",
}

// NewPlan makes the plan of a seed. replicas 0 lets the seed choose.
func NewPlan(seed int64, orders, replicas int) Plan {
	r := rand.New(rand.NewPCG(uint64(seed), 0x70617972656c6179)) //nolint:gosec // a plan must be repeatable
	p := Plan{
		Seed: seed, Replicas: 1 + r.IntN(2), Load: 6*time.Second + time.Duration(max(0, orders-200))*20*time.Millisecond,
		CapturePending: []int{0, 0, 400}[r.IntN(3)], CaptureAnswer: []string{"short", "full"}[r.IntN(2)], UnknownOrder: []string{"err", "404"}[r.IntN(2)],
		ChargeForm: r.IntN(3) == 0, ChargeSuccess: r.IntN(3) != 0, ExportsFail: r.IntN(4) == 0,
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
		o.cascade(r)
		o.Part, o.Double = 1+r.Int64N(o.Minor-1), r.IntN(8) == 0
		p.Orders = append(p.Orders, o)
	}
	slices.SortFunc(p.Orders, func(a, b Order) int { return int(a.At - b.At) })
	for range 6 + r.IntN(6) {
		p.Faults = append(p.Faults, drawFault(r, p))
	}
	// Always one that ends a process at an instant that matters.
	replica, point := r.IntN(p.Replicas), Points[r.IntN(len(Points))]
	p.Faults = append(p.Faults, Fault{Kind: "kill_point", Replica: replica, Point: point, Nth: nth(r, point, 15)})
	if p.Replicas > 1 {
		// And one that stops it there, while another goes on, between what was written down and its call.
		point := []string{"order-written", "order-written", "command-written"}[r.IntN(3)]
		p.Faults = append(p.Faults, Fault{Kind: "pause_point", Replica: r.IntN(p.Replicas), Point: point, Nth: nth(r, point, 12), For: pause(r)})
	}
	// And always some after which nobody knows what became of some orders: the common calls, and those that move money on their own.
	for _, rare := range []bool{false, true} {
		lost := Fault{At: time.Duration(r.Int64N(int64(p.Load / 3))), For: p.Load, Kind: "simulator", Simulator: "smartcore"}
		endpoints, count := []string{"initPayment", "initPaymentHost2Host"}, 4+r.IntN(8)
		if rare {
			lost.Simulator = []string{"smartcore", "uapay"}[min(r.IntN(4), 1)]
			endpoints, count = rareEndpoints[lost.Simulator], 1+r.IntN(4)
		}
		lost.Fault = fault.Fault{Kind: []fault.Kind{fault.DropAfter, fault.BadGatewayAfter, fault.TruncatedJSON}[r.IntN(3)], Endpoint: endpoints[r.IntN(len(endpoints))], Count: count}
		p.Faults = append(p.Faults, lost)
	}
	p.Faults = append(p.Faults, deadAccounts(r, p)...)
	// Refunds whose answer was lost: their callback alone tells how they ended.
	p.Faults = append(p.Faults, Fault{
		At: time.Duration(r.Int64N(int64(p.Load / 3))), For: p.Load, Kind: "simulator", Simulator: "smartcore",
		Fault: fault.Fault{Kind: fault.DropAfter, Endpoint: "refund", Count: 1 + r.IntN(4)},
	})
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	for range 64 {
		p.Restarts = append(p.Restarts, time.Duration(100+r.IntN(900))*time.Millisecond)
	}
	return p
}

// declineCodes are of each class: another account may help, the same one later, only the customer, never, and nobody knows.
var declineCodes = []string{
	"TECHNICAL_PROCESSING_ERROR", "PROCESSOR_DENIAL_PROCESSING_ERROR", "PLATFORM_ERROR_GATE_SKIPPED", "EMITTER_DENIAL_PROCESSING_ERROR", "LIMIT_PROCESSING_ERROR",
	"INSUFFICIENT_FUNDS_PROCESSING_ERROR", "AUTHENTICATION_PROCESSING_ERROR", "DO_NOT_HONOUR_PROCESSING_ERROR", "PROCESSING_ERROR",
}

// helped are those after which an order may go to another account, by its cascade.
var helped = map[string][]string{"provider": declineCodes[:3], "issuer": declineCodes[:5]}

// declinedSum is the first of the sums that SmartCore declines: one for each merchant and code. No other order has such a sum.
const declinedSum = 40_000

// declineRules are what the simulator of SmartCore declines: each sum at one merchant, or at both.
func declineRules() (rules []smartcore.Rule) {
	for _, merchant := range []string{"test", "second", ""} {
		for _, code := range declineCodes {
			rules = append(rules, smartcore.Rule{Amount: declinedSum + 2*int64(len(rules)), Merchant: merchant, Code: code})
		}
	}
	return rules
}

// cascade has most direct payments ask for a cascade, and most of those be declined by an account.
func (o *Order) cascade(r *rand.Rand) {
	if o.Script != "direct" || r.IntN(4) == 0 {
		return
	}
	o.Cascade = []string{"", "none", "provider", "provider", "issuer", "issuer"}[r.IntN(6)]
	if rules := declineRules(); r.IntN(4) > 0 {
		i := r.IntN(len(rules))
		if r.IntN(2) == 0 { // the classes after which an order may move, at one merchant
			i = len(declineCodes)*r.IntN(2) + r.IntN(5)
		}
		o.Minor, o.Outcome = rules[i].Amount, "success"
	}
}

// deadAccounts are always one account that dies while there is much to do, and half of the time a process that ends, or stops, when
// an order has gone elsewhere.
func deadAccounts(r *rand.Rand, p Plan) []Fault {
	dead := Fault{Kind: "account_dead", At: time.Duration(r.Int64N(int64(p.Load / 3)))}
	dead.die(r, p)
	all := []Fault{dead}
	kinds := []string{"kill_point", "pause_point", "", ""}
	for _, point := range []string{pointMoved, pointProven} {
		f := Fault{Kind: kinds[r.IntN(len(kinds))], Replica: r.IntN(p.Replicas), Point: point, Nth: nth(r, point, 6), For: pause(r)}
		if f.Kind != "" {
			all = append(all, f)
		}
	}
	return all
}

// die draws which account a fault kills, and how. Only hosts with TLS can show a certificate. The service learns of another host
// within some seconds, so a lost name must last.
func (f *Fault) die(r *rand.Rand, p Plan) {
	names := routed()
	f.Account = names[r.IntN(len(names))]
	f.How = []string{deadRefused, deadRefused, deadVanished, deadUntrusted, deadNoName}[r.IntN(5)]
	if f.How == deadUntrusted && !strings.HasSuffix(f.Account, "-second") {
		f.Account = f.Account[:3] + "-second"
	}
	f.Simulator = map[string]string{"EUR": "smartcore", "UAH": "uapay"}[f.Account[:3]]
	if f.For = time.Duration(1000+r.IntN(3000)) * time.Millisecond; f.How == deadNoName {
		f.At, f.For = 0, p.Load
	}
}

// Provoke adds to a plan what the safeguards that are off are there for, so that each run shows their lack. safeguards are
// names as Build takes them.
func (p *Plan) Provoke(safeguards string) {
	add := func(at time.Duration, f Fault) {
		f.At = at
		if f.For == 0 {
			f.For = p.Load - at
		}
		p.Faults = append(p.Faults, f)
	}
	simulator := func(name string, f fault.Fault) Fault { return Fault{Kind: "simulator", Simulator: name, Fault: f} }
	for _, name := range strings.Split(safeguards, ",") {
		switch name {
		case "timer": // nobody knows what became of some orders, and no callback tells
			for _, endpoint := range []string{"initPayment", "initPaymentHost2Host", "withdrawal/init"} {
				add(0, simulator("smartcore", fault.Fault{Kind: fault.DropAfter, Endpoint: endpoint, Count: 12}))
			}
			add(0, simulator("smartcore", fault.Fault{Kind: fault.CallbackOff}))
		case "writeahead": // a process dies after the provider took an order
			for i := range 3 * p.Replicas {
				add(0, Fault{Kind: "kill_point", Replica: i % p.Replicas, Point: "provider-answered", Nth: 4 + 7*(i/p.Replicas)})
			}
		case "cascade": // nobody knows yet whether an order is declined for which a shop has another account
			p.SlowDecisions = true
		case "failover": // answers are lost for which a shop has another account
			for _, endpoint := range []string{"initPayment", "initPaymentHost2Host", "authorize"} {
				add(0, simulator("smartcore", fault.Fault{Kind: fault.DropAfter, Endpoint: endpoint, Count: 12}))
			}
		case "rowlock", "dedupe": // many reports about one order at the same time, and again
			for at := p.Load / 6; at < p.Load; at += p.Load / 6 {
				add(at, Fault{Kind: "storm", Size: 8 * time.Millisecond})
			}
			for _, provider := range []string{"smartcore", "uapay"} {
				add(0, simulator(provider, fault.Fault{Kind: fault.CallbackDuplicate, Times: 6}))
			}
		}
	}
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return int(a.At - b.At) })
}

// nth draws how often an instant is passed before the fault comes. Captures and cancels come late and are few while faults last, and
// few orders go elsewhere.
func nth(r *rand.Rand, point string, most int) int {
	switch point {
	case "command-written":
		most = min(most, 4)
	case pointMoved, pointProven:
		most = min(most, 6)
	}
	return 1 + r.IntN(most)
}

func drawFault(r *rand.Rand, p Plan) Fault {
	f := Fault{
		At: time.Duration(r.Int64N(int64(p.Load - 500*time.Millisecond))), For: time.Duration(300+r.IntN(1500)) * time.Millisecond,
		Replica: r.IntN(p.Replicas), Shop: r.IntN(2),
	}
	if r.IntN(2) == 0 {
		drawSimulatorFault(r, &f)
		return f
	}
	f.Kind = kinds[r.IntN(len(kinds))]
	switch f.Kind {
	case "kill_point":
		f.At, f.Point = 0, Points[r.IntN(len(Points))]
		f.Nth = nth(r, f.Point, 40)
	case "pause":
		f.For = pause(r)
	case "pause_point":
		f.At, f.Point = 0, Points[r.IntN(len(Points))]
		f.Nth, f.For = nth(r, f.Point, 40), pause(r)
	case "db_silent":
		f.For = time.Duration(1000+r.IntN(5000)) * time.Millisecond
	case "clock":
		f.Size = []time.Duration{-7 * time.Hour, -3 * time.Second, 4 * time.Second, 7 * time.Hour}[r.IntN(4)]
	case "provider_clock":
		f.Size = []time.Duration{-7 * time.Hour, -15 * time.Second, 15 * time.Second, 7 * time.Hour}[r.IntN(4)]
	case "db_slow", "provider_slow":
		f.Size = time.Duration(50+r.IntN(500)) * time.Millisecond
	case "storm":
		f.Size = time.Duration(2+r.IntN(8)) * time.Millisecond // so many times
	}
	switch f.Kind {
	case "account_dead":
		f.die(r, p)
	case "provider_cut", "provider_slow", "provider_torn":
		f.Simulator = []string{"smartcore", "uapay"}[r.IntN(2)]
	}
	return f
}

// pause is how long a process is stopped: half of the time so long that others give up what it was about to send.
func pause(r *rand.Rand) time.Duration {
	if r.IntN(2) == 0 {
		return time.Duration(300+r.IntN(3700)) * time.Millisecond
	}
	return time.Duration(4000+r.IntN(4000)) * time.Millisecond
}

// simulatorFaults are the misbehaviours of a provider that a service can be held to survive. A check or a signed callback
// that says something false about money is not among them: nobody could tell.
var simulatorFaults = slices.Concat(fault.HTTP, []fault.Kind{fault.CheckNotFound, fault.CheckLie}, fault.Callback, []fault.Kind{fault.CallbackBeforeAnswer})

var endpoints = map[string][]string{
	"smartcore": {
		"", "initPayment", "initPaymentHost2Host", "authorize", "capture", "cancel", "check", "refund", "withdrawal/init", "recurrent", "withdrawal/tokenize-form",
	},
	"uapay": {
		"", "", "", "sessions/create", "invoicer/invoices/create", "invoicer/invoices/show", "invoicer/payments/create", "invoicer/payments/confirm",
		"invoicer/payments/complete", "invoicer/payments/cancel", "invoicer/payments/reverse", "invoicer/payments/checkStatus", "payments/p2p/direct/create",
		"payments/p2p/confirm", "p2p/payments/a2c/initiate", "p2p/payments/a2c/complete",
	},
}

// rareEndpoints are calls that few of a run's orders make.
var rareEndpoints = map[string][]string{
	"smartcore": {"recurrent", "withdrawal/tokenize-form", "withdrawal/init"},
	"uapay":     {"invoicer/payments/create", "invoicer/payments/confirm", "payments/p2p/direct/create", "payments/p2p/confirm"},
}

var forged = map[string][]string{
	"smartcore": {"wrong_signature", "wrong_secret", "unsigned", "tampered", "F01", "F02", "F03", "F04", "F05", "F06", "F07", "F08", "F09"},
	"uapay":     {"wrong_key", "alg_none", "unsigned", "malformed", "tampered"},
}

func drawSimulatorFault(r *rand.Rand, f *Fault) {
	f.Kind, f.Simulator = "simulator", []string{"smartcore", "smartcore", "uapay"}[r.IntN(3)]
	f.For = time.Duration(500+r.IntN(2500)) * time.Millisecond
	f.Fault = fault.Fault{Kind: simulatorFaults[r.IntN(len(simulatorFaults))], Count: 1 + r.IntN(12), DelayMS: 100 + r.IntN(2500), Times: 2 + r.IntN(5)}
	switch k := f.Fault.Kind; {
	case slices.Contains(fault.HTTP, k):
		f.Fault.Endpoint = endpoints[f.Simulator][r.IntN(len(endpoints[f.Simulator]))]
	case k == fault.CheckNotFound:
		f.Fault.ForMS = 1500 // less than the delay that the service allows the provider
	case k == fault.CheckLie:
		f.Fault.Status, f.Fault.Code = 1, "" // "still working"
		if f.Simulator == "uapay" {
			f.Fault.Code = "PENDING"
		}
	case k == fault.CallbackForged:
		f.Fault.Variant = forged[f.Simulator][r.IntN(len(forged[f.Simulator]))]
	case k == fault.CallbackBeforeAnswer:
		f.Fault.Endpoint = ""
	}
}
