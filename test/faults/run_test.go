package faults

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARunIsNotJudgedByTheLogsOfTheTryBefore(t *testing.T) {
	t.Parallel()
	plan := NewPlan(7, 30, 1)
	old := filepath.Join(t.TempDir(), "seed-7", "replica-0.log")
	require.NoError(t, os.MkdirAll(filepath.Dir(old), 0o755))
	require.NoError(t, os.WriteFile(old, []byte("panic: of a try before\n"), 0o600))

	_, err := Do(t.Context(), plan, Options{Database: &Database{admin: "postgres://127.0.0.1:1/nothing"}, Dir: filepath.Dir(filepath.Dir(old))})
	require.ErrorIs(t, err, ErrSetup, "no Postgres is there")
	require.NoFileExists(t, old)
	require.FileExists(t, filepath.Join(filepath.Dir(old), "run.log"))
}
