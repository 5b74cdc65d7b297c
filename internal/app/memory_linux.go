package app

import (
	"fmt"
	"syscall"
)

// Of prctl(2).
const (
	prGetDumpable = 3
	prSetDumpable = 4
)

// protectMemory sees to it that the process leaves no core file, and that no other process of its user reads its memory or
// its environment. Whoever is root still can.
func protectMemory() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("set RLIMIT_CORE: %w", err)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetDumpable, 0, 0); errno != 0 {
		return fmt.Errorf("set PR_SET_DUMPABLE: %w", errno)
	}
	return nil
}
