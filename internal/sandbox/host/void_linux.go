package host

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
)

var vanishing = []State{Vanished}

// void is a listener whose queue is full, so the system answers no further connection.
type void struct {
	listener net.Listener
	queue    []net.Conn
}

// fullAfter is how long a connection to this machine takes at most that is made at all.
const fullAfter = 200 * time.Millisecond

// newVoid fills the queue of a listener that nobody accepts from.
func newVoid(ctx context.Context, l net.Listener) (*void, error) {
	v := &void{listener: l}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		v.close()
		return nil, err
	}
	var shortened error
	if err := raw.Control(func(fd uintptr) { shortened = syscall.Listen(int(fd), 0) }); err != nil || shortened != nil {
		v.close()
		return nil, errors.Join(err, shortened)
	}
	for {
		conn, err := (&net.Dialer{Timeout: fullAfter}).DialContext(ctx, "tcp", l.Addr().String())
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && ctx.Err() == nil {
			return v, nil
		}
		if err != nil {
			v.close()
			return nil, err
		}
		v.queue = append(v.queue, conn)
	}
}

func (v *void) close() {
	_ = v.listener.Close()
	for _, conn := range v.queue {
		_ = conn.Close()
	}
}
