package archtest

// rule says what packages must not reach. A pattern is an import path, or a path ending in /... for it and everything
// below it. Paths of this module are written without the module's name and begin with "internal", "cmd" or "migrations".
type rule struct {
	name string
	// of are the packages the rule is about, less those in except.
	of, except []string
	// never lists what they must not import, unless allowed names it.
	never, allowed []string
	// tests says that the packages' tests are held to the rule too.
	tests bool
}

// everything is every package of this module.
var everything = []string{"internal/...", "cmd/...", "migrations"}

// edges turn the outside world into calls of payment.
var edges = []string{"internal/http/...", "internal/callbacks/...", "internal/worker/...", "internal/notify/..."}

// concrete are the packages that only the wiring may choose.
var concrete = []string{"internal/store/...", "internal/gateway/smartcore/...", "internal/gateway/uapay/...", "internal/sandbox/...", "internal/localpg/..."}

// testOnly are packages that help tests; nothing that ships may need them.
var testOnly = []string{"internal/gateway/gatewaytest/...", "internal/store/storetest/...", "internal/sandbox/simulatortest/...", "internal/archtest/..."}

var rules = []rule{
	{
		name:  "money and card are leaves: they can be understood, and trusted, alone",
		of:    []string{"internal/money", "internal/card"},
		never: everything,
		tests: true,
	},
	{
		name:    "gateway is a contract: it knows money and card and nothing else of ours",
		of:      []string{"internal/gateway"},
		never:   everything,
		allowed: []string{"internal/money", "internal/card"},
	},
	{
		name:  "gateway does no I/O and keeps no log",
		of:    []string{"internal/gateway"},
		never: []string{"net", "net/http", "os", "os/exec", "database/...", "log", "log/...", "github.com/jackc/...", "github.com/rs/zerolog/..."},
	},
	{
		name:    "adapters translate, payment decides: an adapter cannot see an order",
		of:      []string{"internal/gateway/..."},
		never:   everything,
		allowed: []string{"internal/gateway/...", "internal/money", "internal/card/..."},
	},
	{
		name:  "adapters never meet payment, in their tests neither",
		of:    []string{"internal/gateway/..."},
		never: []string{"internal/payment/...", "internal/store/..."},
		tests: true,
	},
	{
		name:  "the shared parts of adapters know no provider",
		of:    []string{"internal/gateway/transport/...", "internal/gateway/gatewaytest/..."},
		never: []string{"internal/gateway/smartcore/...", "internal/gateway/uapay/..."},
	},
	{
		name:  "providers do not know each other: SmartCore",
		of:    []string{"internal/gateway/smartcore/...", "internal/sandbox/smartcore/..."},
		never: []string{"internal/gateway/uapay/...", "internal/sandbox/uapay/..."},
	},
	{
		name:  "providers do not know each other: UAPAY",
		of:    []string{"internal/gateway/uapay/...", "internal/sandbox/uapay/..."},
		never: []string{"internal/gateway/smartcore/...", "internal/sandbox/smartcore/..."},
	},
	{
		name:  "a simulator is written from the provider's page alone, or it repeats the adapter's mistakes",
		of:    []string{"internal/sandbox/..."},
		never: append([]string{"internal/gateway/...", "internal/payment/...", "internal/store/..."}, edges...),
	},
	{
		name:  "an adapter does not know its simulator",
		of:    []string{"internal/gateway/..."},
		never: []string{"internal/sandbox/..."},
	},
	{
		name:    "payment is the middle: it knows the contract, never who is behind it",
		of:      []string{"internal/payment/..."},
		never:   append([]string{"internal/gateway/transport/...", "cmd/...", "migrations"}, append(edges, concrete...)...),
		allowed: []string{"internal/gateway"},
	},
	{
		name: "payment knows no SQL, no HTTP, no job queue and no logger",
		of:   []string{"internal/payment/..."},
		never: []string{
			"net", "net/http", "os", "database/...", "log", "log/...",
			"github.com/jackc/...", "github.com/rs/zerolog/...",
			"github.com/go-chi/...", "github.com/prometheus/...", "github.com/pressly/...",
		},
	},
	{
		name:  "the words of a shop and of idempotency, and the limiter, depend on no edge and no storage",
		of:    []string{"internal/shop/...", "internal/idempotency/...", "internal/limit/..."},
		never: append(append([]string{"cmd/...", "migrations"}, edges...), concrete...),
	},
	{
		name:  "only the program's wiring imports concrete types; an edge says what it needs in an interface of its own",
		of:    edges,
		never: append([]string{"internal/gateway/transport/...", "cmd/..."}, concrete...),
	},
	{
		name:  "the store serves payment and knows no edge, no adapter and no simulator",
		of:    []string{"internal/store/..."},
		never: append([]string{"cmd/...", "internal/gateway/transport/...", "internal/gateway/smartcore/...", "internal/gateway/uapay/...", "internal/sandbox/..."}, edges...),
	},
	{
		name:  "a Postgres for dev and tests is nobody's business but theirs",
		of:    []string{"internal/localpg/..."},
		never: append([]string{"internal/payment/...", "internal/store/...", "internal/gateway/...", "cmd/..."}, edges...),
	},
	{
		name:   "the program is wired at the top: nothing but its command imports it",
		of:     everything,
		except: []string{"cmd/server", "internal/app"},
		never:  []string{"internal/app/..."},
	},
	{
		name:   "what ships needs no test helper",
		of:     everything,
		except: testOnly,
		never:  append([]string{"testing", "github.com/stretchr/...", "pgregory.net/..."}, testOnly...),
	},
}
