package localpg

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// runProgram starts another program, this test binary, that runs a server in dir, and returns the server's URL.
func runProgram(t *testing.T, dir string, as *syscall.Credential) (child *exec.Cmd, url string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	if as != nil { // the test binary is where only we can reach it
		self = copyProgram(t, self, filepath.Dir(dir))
	}
	child = exec.Command(self) //nolint:gosec // the test binary
	child.Dir = filepath.Dir(dir)
	child.Env = append(os.Environ(), dirVariable+"="+dir)
	child.Stderr = os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		_ = child.Process.Kill() //nolint:errcheck // most tests have done so
		_ = child.Wait()         //nolint:errcheck // it was killed
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	require.True(t, ok, line)
	return child, url
}

func copyProgram(t *testing.T, from, folder string) string {
	t.Helper()
	in, err := os.Open(from) //nolint:gosec // the test binary
	require.NoError(t, err)
	defer in.Close() //nolint:errcheck // only read
	path := filepath.Join(folder, "program")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755) //nolint:gosec // a program
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
	return path
}
