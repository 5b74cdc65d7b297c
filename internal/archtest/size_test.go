package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// longestFunction is how many lines a function of payment may have, so that a rule about money is read without scrolling.
const longestFunction = 50

func TestNoFunctionOfPaymentIsLongerThanAPage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../payment/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		positions := token.NewFileSet()
		file, err := parser.ParseFile(positions, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				lines := positions.Position(f.End()).Line - positions.Position(f.Pos()).Line + 1
				require.LessOrEqual(t, lines, longestFunction, "%s in %s", f.Name.Name, name)
			}
		}
	}
}
