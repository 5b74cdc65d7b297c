package docs

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheTutorialsCodeIsReal holds docs/adding-a-provider.md to examples/tinypay, which is compiled and passes the
// conformance suite. Each block of code begins with the name of its file and is all of it.
func TestTheTutorialsCodeIsReal(t *testing.T) {
	t.Parallel()
	shown := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```go\n// (\\S+)\n\n(.*?)```").FindAllStringSubmatch(read(t, "docs/adding-a-provider.md"), -1) {
		shown[m[1]] = m[2]
	}
	for _, name := range files(t, ".go") {
		if path.Dir(name) != "examples/tinypay" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		require.Contains(t, shown, name, "docs/adding-a-provider.md does not show %s", name)
		require.Equal(t, read(t, name), shown[name], "docs/adding-a-provider.md shows another %s: copy the file", name)
		delete(shown, name)
	}
	require.Empty(t, shown, "docs/adding-a-provider.md shows files that are not there")
}
