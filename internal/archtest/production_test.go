package archtest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// productionModules are the modules that a production build may link. A new name here is a decision: what does it bring, and
// who keeps it?
var productionModules = []string{
	"code.dny.dev/ssrf",             // where notifications may go
	"github.com/alecthomas/kong",    // command line
	"github.com/caarlos0/env/v11",   // configuration
	"github.com/getkin/kin-openapi", // request validation and what it needs
	"github.com/go-openapi/jsonpointer",
	"github.com/oasdiff/yaml",
	"github.com/oasdiff/yaml3",
	"github.com/santhosh-tekuri/jsonschema/v6",
	"github.com/failsafe-go/failsafe-go", // circuit breaker
	"github.com/bits-and-blooms/bitset",
	"github.com/go-chi/chi/v5",       // routes
	"github.com/pires/go-proxyproto", // the PROXY protocol, where a balancer speaks it
	"github.com/google/uuid",
	"github.com/jackc/pgx/v5", // Postgres and what it needs
	"github.com/jackc/pgpassfile",
	"github.com/jackc/pgservicefile",
	"github.com/jackc/puddle/v2",
	"github.com/nyaruka/phonenumbers", // phone numbers in E.164
	"github.com/pressly/goose/v3",     // migrations and what it needs
	"github.com/mfridman/interpolate",
	"github.com/sethvargo/go-retry",
	"go.uber.org/multierr",
	"github.com/prometheus/client_golang", // metrics and what it needs
	"github.com/beorn7/perks",
	"github.com/cespare/xxhash/v2",
	"github.com/munnerz/goautoneg",
	"github.com/prometheus/client_model",
	"github.com/prometheus/common",
	"github.com/prometheus/procfs",
	"github.com/rs/zerolog", // logs
	"github.com/mattn/go-colorable",
	"github.com/mattn/go-isatty",
	"github.com/standard-webhooks/standard-webhooks/libraries", // signatures of notifications
	"github.com/tink-crypto/tink-go/v2",                        // secrets at rest
	"github.com/yuin/goldmark",                                 // the documentation's pages
	"github.com/xuri/excelize/v2",                              // workbooks and what it needs
	"github.com/richardlehane/mscfb",
	"github.com/richardlehane/msoleps",
	"github.com/tiendc/go-deepcopy",
	"github.com/xuri/efp",
	"github.com/xuri/nfp",
	"golang.org/x/crypto",
	"golang.org/x/net",
	"golang.org/x/sync",
	"golang.org/x/sys",
	"golang.org/x/text",
	"google.golang.org/protobuf",
}

// productionPackages bounds how many packages of others a production build links.
const productionPackages = 310

func TestProductionLinksWhatItNeeds(t *testing.T) {
	t.Parallel()
	packages := productionDeps(t)
	used := map[string]bool{}
	others := 0
	for _, p := range packages {
		if strings.HasPrefix(p.module, moduleName) {
			require.NotRegexp(t, `^payrelay/internal/(sandbox|demoshop|localpg|store/storetest)`, p.path, "the workshop is not for production")
			continue
		}
		require.Contains(t, productionModules, p.module, "%s is linked into production: is it needed there?", p.path)
		used[p.module] = true
		others++
	}
	require.LessOrEqual(t, others, productionPackages)
	for _, m := range productionModules {
		require.True(t, used[m], "%s is linked no more: take it off the list", m)
	}
}

type linked struct{ path, module, folder string }

// productionDeps lists the packages of modules that a production build links, the standard library left out.
func productionDeps(t *testing.T) []linked {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-tags", "production", "-f", "{{.ImportPath}}\t{{with .Module}}{{.Path}}\t{{.Dir}}{{end}}", "./cmd/server")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	var packages []linked
	for line := range strings.Lines(string(out)) {
		if column := strings.Split(strings.TrimSpace(line), "\t"); len(column) == 3 {
			packages = append(packages, linked{path: column[0], module: column[1], folder: column[2]})
		}
	}
	require.True(t, slices.ContainsFunc(packages, func(p linked) bool { return p.module == "github.com/jackc/pgx/v5" }))
	return packages
}
