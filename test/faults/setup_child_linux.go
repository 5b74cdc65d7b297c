package faults

import "syscall"

// deathAttributes end a child with this program.
func deathAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
