//go:build !production

package store

import "time"

// Move sets by how much the clock is ahead, for developers. No production build has it.
func (c *Clock) Move(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved = ahead
}
