//go:build !faults

package faultpoint

import "time"

// Enabled reports whether this build has faults in it.
const Enabled = false

// Hit marks an instant at which the harness may end the process.
func Hit(string) {}

// Now is the time, moved by as much as the harness wants the clock to be off.
func Now() time.Time { return time.Now() }

// Duration is d, or what the harness wants in its place.
func Duration(_ string, d time.Duration) time.Duration { return d }
