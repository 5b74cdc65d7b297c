//go:build !linux

package app

// protectMemory does nothing here: production runs on Linux.
func protectMemory() error { return nil }
