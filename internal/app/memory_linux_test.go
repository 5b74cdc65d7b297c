package app

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The child of TestNoCoreOfTheProcess. It runs a command as the program does, and says then whether it can be dumped.
func TestMain(m *testing.M) {
	if os.Getenv("PAYRELAY_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	os.Args = []string{"server", "version"}
	if code := Main(); code != 0 {
		os.Exit(code)
	}
	dumpable, _, _ := syscall.RawSyscall(syscall.SYS_PRCTL, prGetDumpable, 0, 0)
	fmt.Println("dumpable", dumpable)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

func TestNoCoreOfTheProcess(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "PAYRELAY_TEST_CHILD=yes")
	in, err := child.StdinPipe()
	require.NoError(t, err)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	var last string
	for lines.Scan() {
		if last = lines.Text(); strings.HasPrefix(last, "dumpable") {
			break
		}
	}
	require.Equal(t, "dumpable 0", last)
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", child.Process.Pid))
	require.NoError(t, err)
	require.Regexp(t, `Max core file size +0 +0 `, string(limits))
	require.NoError(t, in.Close())
	require.NoError(t, child.Wait())
}
