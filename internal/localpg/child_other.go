//go:build unix && !linux

package localpg

import "syscall"

// childAttributes puts the child under acct and outside the terminal's process group. There is no parent death signal
// here: a server whose program was killed runs on until the next Start on its directory ends it.
func childAttributes(acct *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: acct.credential()}
}

// isServerOf reports whether process pid is the server that the directory's last program started.
func isServerOf(pid int, _ string, recorded int) bool { return pid == recorded }

// bootID is unknown here, so fast data is made anew at each start.
func bootID() string { return "" }
