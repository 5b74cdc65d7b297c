package bugs

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/test/overlay"
)

// TestBugsCompile builds package payment with all bugs at once: each edit still finds its place.
func TestBugsCompile(t *testing.T) {
	t.Parallel()
	root, err := overlay.Root(t.Context())
	require.NoError(t, err)
	var edits []overlay.Edit
	names := map[string]bool{}
	for _, bug := range All {
		require.False(t, names[bug.Name], bug.Name)
		names[bug.Name] = true
		edits = append(edits, bug.Edit)
	}
	list, err := overlay.Write(root, t.TempDir(), edits)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", list, "payrelay/internal/payment").CombinedOutput() //nolint:gosec // our own package
	require.NoError(t, err, "%s", out)
}
