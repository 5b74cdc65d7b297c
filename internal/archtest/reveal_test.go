package archtest

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Card data may leave its type in the wire code of a provider's adapter, in tests, and nowhere else. Only the compiler's view
// tells card's Reveal from another type's, so the packages that name it are type-checked.

func TestCardDataIsRevealedOnlyToProviders(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	imports := exportImporter(t, fset)
	for path, p := range module(t) {
		if mayReveal(path) {
			continue
		}
		files := parse(t, fset, p)
		if !slices.ContainsFunc(files, namesReveal) {
			continue
		}
		require.Empty(t, reveals(t, fset, path, files, imports), "card data is revealed outside an adapter")
	}
}

// TestRevealIsFound shows the check sources that must not pass, so that it cannot go blind.
func TestRevealIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"a call":                       {`func f(p card.PAN) string { return p.Reveal() }`, 1},
		"a call through a struct":      {`func f(c *card.Card) string { return c.CVC.Reveal() }`, 1},
		"a method value":               {`func f(c card.Token) func() string { return c.Reveal }`, 1},
		"a method expression":          {`var f = card.PAN.Reveal`, 1},
		"an embedded number":           {`type x struct{ card.PAN }; func f(v x) string { return v.Reveal() }`, 1},
		"behind an interface":          {`type r interface{ Reveal() string }; func f(p card.PAN) string { return r(p).Reveal() }`, 1},
		"another type's Reveal":        {`var _ card.PAN; func f(s gateway.Secret) string { return s.Reveal() }`, 0},
		"masked, as it should be done": {`func f(p card.PAN) string { return p.Masked() }`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fset := token.NewFileSet()
			src := "package p\nimport (\n\"payrelay/internal/card\"\n\"payrelay/internal/gateway\"\n)\nvar _ gateway.Secret\n" + c.body
			file, err := parser.ParseFile(fset, "p.go", src, 0)
			require.NoError(t, err)
			require.Len(t, reveals(t, fset, "p", []*ast.File{file}, exportImporter(t, fset)), c.want)
		})
	}
}

// TestWhoMayReveal pins the list.
func TestWhoMayReveal(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"internal/card":                  true,
		"internal/gateway/smartcore":     true,
		"internal/gateway/uapay":         true,
		"internal/gateway":               false,
		"internal/gateway/transport":     false,
		"internal/gateway/transport/log": false,
		"internal/gateway/gatewaytest":   true,
		"internal/payment":               false,
		"internal/sandbox/smartcore":     false,
		"internal/store":                 false,
		"internal/app":                   false,
	} {
		require.Equal(t, want, mayReveal(path), path)
	}
}

func mayReveal(path string) bool {
	// What only tests import counts as a test; another rule keeps it out of the program.
	if path == "internal/card" || matches(path, testOnly) {
		return true
	}
	return strings.HasPrefix(path, "internal/gateway/") && !matches(path, []string{"internal/gateway/transport/..."})
}

// reveals lists where files take card data out of its type, or declare an interface by which they could.
func reveals(t *testing.T, fset *token.FileSet, path string, files []*ast.File, imports types.Importer) []string {
	t.Helper()
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
	_, err := (&types.Config{Importer: imports, FakeImportC: true}).Check(moduleName+"/"+path, fset, files, info)
	require.NoError(t, err)
	var found []string
	for expr, sel := range info.Selections {
		if obj := sel.Obj(); obj.Name() == "Reveal" && obj.Pkg() != nil && obj.Pkg().Path() == moduleName+"/internal/card" {
			found = append(found, fset.Position(expr.Sel.Pos()).String())
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if i, ok := n.(*ast.InterfaceType); ok {
				for _, method := range i.Methods.List {
					if slices.ContainsFunc(method.Names, func(name *ast.Ident) bool { return name.Name == "Reveal" }) {
						found = append(found, fset.Position(method.Pos()).String())
					}
				}
			}
			return true
		})
	}
	return found
}

func namesReveal(file *ast.File) bool {
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "Reveal" {
			found = true
		}
		return !found
	})
	return found
}

func parse(t *testing.T, fset *token.FileSet, p *pkg) []*ast.File {
	t.Helper()
	files := make([]*ast.File, len(p.files))
	for i, name := range p.files {
		file, err := parser.ParseFile(fset, filepath.Join(p.dir, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files[i] = file
	}
	return files
}

// exportImporter reads the types that the compiler wrote down when it built the packages.
func exportImporter(t *testing.T, fset *token.FileSet) types.Importer {
	t.Helper()
	l := list()
	require.NoError(t, l.err)
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(l.exports[path]) })
}
