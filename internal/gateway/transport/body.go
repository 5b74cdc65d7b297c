package transport

import (
	"context"
	"io"
	"sync"
	"time"
)

// wipedBody is a request's body that is overwritten when it is closed. net/http closes a body exactly when it has
// stopped reading it, which can be after the answer came.
type wipedBody struct {
	// until is when it may no longer be read; zero is never. net/http reads a body the moment before it writes it, and no
	// provider acts on headers alone.
	until time.Time

	mu   sync.Mutex
	data []byte
	off  int
	open bool // net/http has it and will close it
}

func newBody(data []byte) *wipedBody { return &wipedBody{data: data} }

// Read implements io.Reader. A process that was stopped, and goes on after the call's time, gets here before the timer of
// the call's context has fired: the request must not be sent then.
func (b *wipedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = true
	if b.off >= len(b.data) {
		return 0, io.EOF
	}
	if !b.until.IsZero() && !time.Now().Before(b.until) {
		return 0, context.DeadlineExceeded
	}
	n := copy(p, b.data[b.off:])
	b.off += n
	return n, nil
}

// Close implements io.Closer.
func (b *wipedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.data)
	b.data, b.open = nil, false
	return nil
}

// wipe closes the body unless somebody is reading it.
func (b *wipedBody) wipe() {
	b.mu.Lock()
	reading := b.open
	b.mu.Unlock()
	if !reading {
		_ = b.Close()
	}
}
