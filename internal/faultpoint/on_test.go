//go:build faults

package faultpoint

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asVictim makes this test binary reach a point three times.
const asVictim = "PAYRELAY_TEST_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(asVictim) != "" {
		for range 3 {
			_, _ = os.Stdout.WriteString("alive\n")
			Hit("here")
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func victim(t *testing.T, environ ...string) (string, syscall.WaitStatus) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), asVictim+"=1"), environ...)
	out, err := cmd.Output()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return string(out), cmd.ProcessState.Sys().(syscall.WaitStatus)
}

func TestHitKillsTheNthTime(t *testing.T) {
	t.Parallel()
	out, end := victim(t, "PAYRELAY_FAULTPOINTS=there:1,here:2")
	require.Equal(t, "alive\nalive\n", out)
	require.Equal(t, syscall.SIGKILL, end.Signal())

	out, end = victim(t, "PAYRELAY_FAULTPOINTS=here:2", "PAYRELAY_FAULTPOINTS_UNTIL=1")
	require.Equal(t, "alive\nalive\nalive\n", out, "its time is over")
	require.Zero(t, end.ExitStatus())
}

func TestHitStopsUntilItMayGoOn(t *testing.T) {
	t.Parallel()
	stops, reported, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asVictim+"=1", "PAYRELAY_FAULTPOINTS=here:2:stop,here:3", "PAYRELAY_FAULTPOINTS_STOPS=3")
	cmd.ExtraFiles = []*os.File{reported}
	require.NoError(t, cmd.Start())
	require.NoError(t, reported.Close())
	var now syscall.WaitStatus
	_, err = syscall.Wait4(cmd.Process.Pid, &now, syscall.WUNTRACED, nil)
	require.NoError(t, err)
	require.True(t, now.Stopped())
	require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	require.Error(t, cmd.Wait())
	require.Equal(t, syscall.SIGKILL, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), "the third time ends it")
	text, err := io.ReadAll(stops)
	require.NoError(t, err)
	require.Equal(t, "here\n", string(text))
}

func TestParse(t *testing.T) {
	t.Parallel()
	p := parse(func(name string) string {
		return map[string]string{"PAYRELAY_FAULTPOINTS_TIMES": "pause=2s,lease=1ms", "PAYRELAY_FAULTPOINTS_CLOCK": "file"}[name]
	})
	require.Equal(t, map[string]time.Duration{"pause": 2 * time.Second, "lease": time.Millisecond}, p.times)
	require.Equal(t, "file", p.clock)
	require.Empty(t, p.points)
	for _, bad := range []string{"here", "here:0", "here:x", "here:1:start"} {
		require.Panics(t, func() { parse(func(string) string { return bad }) }, bad)
	}
}

func TestTheClockFileMovesTheClock(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "clock")
	read().clock = file // no other test reads the time
	require.WithinDuration(t, time.Now(), Now(), time.Minute)
	require.NoError(t, os.WriteFile(file, []byte("-2h\n"), 0o600))
	require.Eventually(t, func() bool { return time.Since(Now()) > time.Hour }, time.Minute, 5*time.Millisecond)
}
