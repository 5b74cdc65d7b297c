//go:build npm

package card

import (
	_ "embed"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

//go:embed testdata/differences.tsv
var explained string

// A difference is a stretch of numbers that credit-card-type and we name differently.
type difference struct {
	from, to     int
	theirs, ours string
}

// Every difference is explained by one row of differences.tsv, and every row explains one.
func TestDifferencesFromCreditCardType(t *testing.T) {
	t.Parallel()
	program := exec.CommandContext(t.Context(), "node", "brands.js")
	program.Dir = "../../test/contract"
	out, err := program.Output()
	require.NoError(t, err, "run make brands, which installs the package")
	explanations := readExplanations(t)
	used := map[difference]bool{}
	for _, d := range differences(t, string(out)) {
		i := slices.IndexFunc(explanations, func(e difference) bool {
			return e.from <= d.from && d.to <= e.to && e.theirs == d.theirs && e.ours == d.ours
		})
		if assert.GreaterOrEqual(t, i, 0, "not explained: %+v", d) {
			used[explanations[i]] = true
		}
	}
	for _, e := range explanations {
		assert.True(t, used[e], "explains nothing: %+v", e)
	}
}

func readExplanations(t *testing.T) (out []difference) {
	t.Helper()
	for line := range strings.Lines(explained) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(strings.TrimSpace(line), "\t")
		require.Len(t, columns, 4, line)
		from, to, err := prefixes(columns[0])
		require.NoError(t, err)
		out = append(out, difference{from, to, columns[1], columns[2]})
	}
	return out
}

func differences(t *testing.T, theirs string) (out []difference) {
	t.Helper()
	for line := range strings.Lines(theirs) {
		var d difference
		_, err := fmt.Sscanf(line, "%d\t%d\t%s", &d.from, &d.to, &d.theirs)
		require.NoError(t, err, line)
		for end := d.to; d.from <= end; d.from = d.to + 1 {
			if d.ours, d.to = stretch(d.from, end); d.ours != d.theirs {
				out = append(out, d)
			}
		}
	}
	require.NotEmpty(t, out)
	return out
}

// stretch returns our scheme of a number's first eight digits, and up to which it is the same within limit.
func stretch(from, limit int) (brand string, to int) {
	s, ok := find(from)
	if !ok {
		for _, next := range spans() {
			if next.from > from {
				return "-", min(limit, next.from-1)
			}
		}
		return "-", limit
	}
	if len(s.brands) == 0 {
		return "-", min(limit, s.to)
	}
	return s.brands[0], min(limit, s.to)
}
