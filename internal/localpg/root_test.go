package localpg

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// These tests are about a program run by root. Run by anybody else, they check that no account is switched to.

func TestProgramRunByRootRunsServerUnprivileged(t *testing.T) {
	t.Parallel()
	acct := serverAccount()
	if os.Geteuid() != 0 {
		require.Nil(t, acct)
		return
	}
	dir := madeDir(t)
	s := run(t, Options{Dir: dir, Fast: true})
	info, err := os.Stat(filepath.Join("/proc", lineOne(t, dir)))
	require.NoError(t, err)
	st, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	require.NotZero(t, st.Uid)
	require.Equal(t, acct.uid, st.Uid)
	require.Contains(t, s.Describe(), "run as "+acct.name)
}

func TestDirectoryTheServerCannotReachIsStoodInFor(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		require.Nil(t, serverAccount())
		return
	}
	closed := filepath.Join(filepath.Dir(sharedDir(t)), "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	dir := filepath.Join(closed, "pg")

	s := run(t, Options{Dir: dir, Fast: true})
	do(t, s.URL(), "CREATE TABLE kept AS SELECT 3 AS n")
	b, ok := s.backend.(*cluster)
	require.True(t, ok)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(b.dir)) })
	require.NotContains(t, b.dir, closed)
	require.NoError(t, s.Stop(t.Context()))

	s = run(t, Options{Dir: dir, Fast: true})
	require.Equal(t, 3, ask[int](t, s.URL(), "SELECT n FROM kept"), "the same stand-in every time")
}

func TestFolderWithOtherThingsKeepsItsOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		require.Nil(t, serverAccount())
		return
	}
	dir := sharedDir(t)
	require.NoError(t, os.Mkdir(dir, 0o755)) //nolint:gosec // reachable on purpose
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600))
	run(t, Options{Dir: dir, Fast: true})
	info, err := os.Stat(dir)
	require.NoError(t, err)
	st, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	require.Zero(t, st.Uid)
}

func TestProgramOfAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	acct := serverAccount()
	if acct == nil {
		acct = &account{uid: uint32(os.Getuid()), gid: uint32(os.Getgid())} //nolint:gosec // ids fit
	}
	dir := sharedDir(t)
	require.NoError(t, acct.own(filepath.Dir(dir)))
	as := acct.credential()
	if os.Geteuid() != 0 {
		as = nil
	}
	_, url := runProgram(t, dir, as)
	require.Equal(t, "payrelay", ask[string](t, url, "SELECT current_user::text"))
}

func lineOne(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, clusterName, "data", "postmaster.pid")) //nolint:gosec // the test's own file
	require.NoError(t, err)
	for i, b := range text {
		if b == '\n' {
			return string(text[:i])
		}
	}
	return string(text)
}
