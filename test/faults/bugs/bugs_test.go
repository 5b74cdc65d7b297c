package bugs

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/test/overlay"
)

// Every bug still fits the source, and the source with it compiles.
func TestEveryBugCompiles(t *testing.T) {
	t.Parallel()
	root, err := overlay.Root(t.Context())
	require.NoError(t, err)
	for name, bug := range All {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, err := overlay.Write(root, t.TempDir(), bug.Edits)
			require.NoError(t, err)
			for _, e := range bug.Edits {
				require.True(t, strings.HasPrefix("payrelay/"+e.File, bug.Package+"/"), e.File)
			}
			out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "faults", "-overlay", path, bug.Package).CombinedOutput() //nolint:gosec // the bugs are ours
			require.NoError(t, err, string(out))
		})
	}
}

func TestEditsKnowsTheNames(t *testing.T) {
	t.Parallel()
	both, err := Edits("dedupe,timer")
	require.NoError(t, err)
	require.Len(t, both, 4)
	none, err := Edits("")
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = Edits("dedupe,lock")
	require.ErrorContains(t, err, `no safeguard "lock"; there are cascade, dedupe, failover, rowlock, timer, writeahead`)
}
