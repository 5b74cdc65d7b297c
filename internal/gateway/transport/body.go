package transport

import (
	"io"
	"sync"
)

// wipedBody is a request's body that is overwritten when it is closed. net/http closes a body exactly when it has
// stopped reading it, which can be after the answer came.
type wipedBody struct {
	mu   sync.Mutex
	data []byte
	off  int
	open bool // net/http has it and will close it
}

func newBody(data []byte) *wipedBody { return &wipedBody{data: data} }

// Read implements io.Reader.
func (b *wipedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open = true
	if b.off >= len(b.data) {
		return 0, io.EOF
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
