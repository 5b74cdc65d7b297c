//go:build !linux

package faults

import "syscall"

// deathAttributes: only Linux can end a child with its parent.
func deathAttributes() *syscall.SysProcAttr { return nil }
