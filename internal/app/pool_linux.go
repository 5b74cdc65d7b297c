package app

import (
	"errors"
	"syscall"
	"time"
)

const (
	// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7): for how many milliseconds sent data may stay unacknowledged.
	tcpUserTimeout = 18
	unanswered     = 30 * time.Second
)

// giveUpUnanswered is a net.Dialer.Control. Keepalives are not sent while data is under way, and without this the kernel
// repeats that for a quarter of an hour.
func giveUpUnanswered(_, _ string, c syscall.RawConn) error {
	var err error
	controlled := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unanswered.Milliseconds()))
	})
	if errors.Is(err, syscall.ENOPROTOOPT) || errors.Is(err, syscall.EOPNOTSUPP) { // a Unix socket
		err = nil
	}
	return errors.Join(controlled, err)
}
