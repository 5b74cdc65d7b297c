package localpg

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// childAttributes puts the child under acct and outside the terminal's process group, so that Ctrl-C reaches us and
// not Postgres, and has the kernel end it by immediate shutdown when the thread that started it ends. Whoever starts a
// lasting child must therefore keep that thread.
func childAttributes(acct *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT, Credential: acct.credential()}
}

// isServerOf reports whether process pid is a Postgres working in data. A server's working directory is its data
// directory, so a number that has passed to another program is told apart.
func isServerOf(pid int, data string, _ int) bool {
	cwd, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
	return err == nil && cwd == data
}

// bootID differs after each start of the machine; empty when unknown.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
