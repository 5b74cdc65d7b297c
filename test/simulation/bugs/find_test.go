//go:build bugs

package bugs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/test/overlay"
)

// within is after how many orders each bug must be found.
const within = "100000"

var found = regexp.MustCompile(`found in order (\d+): (.*)`)

// TestEachBugIsFound simulates the service with each bug in it, until a rule is broken.
func TestEachBugIsFound(t *testing.T) {
	t.Parallel()
	root, err := overlay.Root(t.Context())
	require.NoError(t, err)
	for _, bug := range All {
		t.Run(bug.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			list, err := overlay.Write(root, dir, []overlay.Edit{bug.Edit})
			require.NoError(t, err)
			binary := filepath.Join(dir, "simulation.test")
			build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", list, "-o", binary, "payrelay/test/simulation") //nolint:gosec // our own program
			out, err := build.CombinedOutput()
			require.NoError(t, err, "%s", out)
			run := exec.CommandContext(t.Context(), binary, "-test.run", "^TestNoOrderEndsFalsely$", "-test.v") //nolint:gosec // our own program
			run.Env = append(os.Environ(), "SIMULATION_ORDERS="+within, "SIMULATION_SEED=1")
			out, err = run.CombinedOutput()
			require.Error(t, err, "%s, and the simulation does not notice", bug.Breaks)
			match := found.FindSubmatch(out)
			require.NotNil(t, match, "%s", out)
			t.Logf("%s: found in order %s: %s", bug.Breaks, match[1], match[2])
		})
	}
}
