package overlay

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteEditsCopies(t *testing.T) {
	t.Parallel()
	root, dir := t.TempDir(), t.TempDir()
	source := filepath.Join(root, "a.go")
	require.NoError(t, os.WriteFile(source, []byte("one two three"), 0o600))
	path, err := Write(root, dir, []Edit{{File: "a.go", Old: "two", New: "2"}, {File: "a.go", Old: "2 three", New: "2 3"}, {File: "b.go", New: "new"}})
	require.NoError(t, err)

	text, err := os.ReadFile(source)
	require.NoError(t, err)
	require.Equal(t, "one two three", string(text), "the source stays")
	var overlay struct{ Replace map[string]string }
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &overlay))
	require.Len(t, overlay.Replace, 2)
	for file, want := range map[string]string{"a.go": "one 2 3", "b.go": "new"} {
		text, err := os.ReadFile(overlay.Replace[filepath.Join(root, file)])
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
}

func TestWriteRejectsAnEditThatDoesNotFit(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.go"), []byte("one two two"), 0o600))
	for problem, edit := range map[string]Edit{
		"there 2 times": {File: "a.go", Old: "two"},
		"there 0 times": {File: "a.go", Old: "three"},
		"there already": {File: "a.go", New: "x"},
		"no such file":  {File: "b.go", Old: "x"},
	} {
		_, err := Write(root, t.TempDir(), []Edit{edit})
		require.ErrorContains(t, err, problem)
	}
}
