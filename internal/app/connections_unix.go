//go:build linux || darwin

package app

import "syscall"

// fileLimit is how many files the process may open. Go has raised it to the most that it may ask for.
func fileLimit() (limit uint64, known bool) {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return l.Cur, err == nil
}
