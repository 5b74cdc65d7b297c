package archtest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	tree := module(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, r.broken(tree), "a package imports what it must not: declare a small interface where it is used")
		})
	}
}

// TestRulesCatchWhatTheyForbid judges made-up trees, so that a rule which can never fail is found out.
func TestRulesCatchWhatTheyForbid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		tree map[string]*pkg
		want []string
	}{
		{
			"an adapter imports payment", tree("internal/gateway/uapay", "internal/payment"),
			[]string{"internal/gateway/uapay -> internal/payment"},
		},
		{
			"an adapter reaches payment by a detour",
			merge(tree("internal/gateway/uapay", "internal/words"), tree("internal/words", "internal/payment")),
			[]string{"internal/gateway/uapay -> internal/words -> internal/payment"},
		},
		{"payment logs", tree("internal/payment", "github.com/rs/zerolog"), []string{"internal/payment -> github.com/rs/zerolog"}},
		{"payment speaks HTTP", tree("internal/payment", "net/http"), []string{"internal/payment -> net/http"}},
		{"gateway dials", tree("internal/gateway", "net"), []string{"internal/gateway -> net"}},
		{"money knows card", tree("internal/money", "internal/card"), []string{"internal/money -> internal/card"}},
		{"the API picks the store", tree("internal/http", "internal/store"), []string{"internal/http -> internal/store"}},
		{
			"the simulator borrows the signature", tree("internal/sandbox/smartcore", "internal/gateway/smartcore"),
			[]string{"internal/sandbox/smartcore -> internal/gateway/smartcore"},
		},
		{
			"the adapter borrows the signature", tree("internal/gateway/smartcore", "internal/sandbox/smartcore"),
			[]string{"internal/gateway/smartcore -> internal/sandbox/smartcore"},
		},
		{"a test helper ships", tree("internal/app", "internal/store/storetest"), []string{"internal/app -> internal/store/storetest"}},
		{"all is well", merge(tree("internal/payment", "internal/gateway", "context"), tree("internal/gateway", "io")), nil},
		{"the wiring may import everything", tree("internal/app", "internal/store", "internal/gateway/uapay", "net/http"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found := map[string]bool{}
			for _, r := range rules {
				for _, road := range r.broken(c.tree) {
					found[road] = true
				}
			}
			for _, road := range c.want {
				require.Contains(t, found, road)
			}
			require.True(t, c.want != nil || len(found) == 0, "refused without a reason: %v", found)
		})
	}
}

// TestRulesNameWhatExists finds rules that a renamed package has left behind.
func TestRulesNameWhatExists(t *testing.T) {
	t.Parallel()
	tree := module(t)
	for _, pattern := range []string{"internal/money", "internal/card", "internal/gateway", "internal/payment/...", "internal/sandbox/...", "internal/store/..."} {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(tree)), func(path string) bool {
			return matches(path, []string{pattern})
		}), "no package is named %s any more", pattern)
	}
}

// broken lists the roads by which packages of tree reach what r forbids, as "a -> b -> c".
func (r rule) broken(tree map[string]*pkg) []string {
	var roads []string
	for path, p := range tree {
		if !matches(path, r.of) || matches(path, r.except) {
			continue
		}
		first := p.imports
		if r.tests {
			first = slices.Concat(first, p.testImports)
		}
		roads = append(roads, r.walk(tree, path, path, first, map[string]bool{path: true})...)
	}
	slices.Sort(roads)
	return roads
}

// walk follows imports. What stands outside the module is judged where it is imported and not followed; a package of
// the module that the rule allows has rules of its own.
func (r rule) walk(tree map[string]*pkg, road, from string, imports []string, seen map[string]bool) []string {
	var roads []string
	for _, path := range imports {
		next := tree[path]
		switch {
		case seen[path]:
		case matches(path, r.never) && !matches(path, r.allowed):
			roads = append(roads, road+" -> "+path)
		case next != nil && !ours(r.never):
			// A rule about libraries is about the package itself: payment may use a type that can log.
		case next != nil && !matches(path, r.allowed):
			seen[path] = true
			roads = append(roads, r.walk(tree, road+" -> "+path, path, next.imports, seen)...)
		}
	}
	return roads
}

// ours reports whether patterns are about packages of this module.
func ours(patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return strings.HasPrefix(p, "internal/") })
}

func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		root, deep := strings.CutSuffix(pattern, "/...")
		return path == root || deep && strings.HasPrefix(path, root+"/")
	})
}

func tree(path string, imports ...string) map[string]*pkg {
	return map[string]*pkg{path: {imports: imports}}
}

func merge(trees ...map[string]*pkg) map[string]*pkg {
	all := map[string]*pkg{}
	for _, t := range trees {
		maps.Copy(all, t)
	}
	return all
}
