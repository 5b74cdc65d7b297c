package httpapi

import (
	"io"
	"net/http"
	"time"
)

// unread ends the connection of a request whose body nobody asked for. Without it net/http would wait for up to 256 KiB of
// that body after the answer, for as long as its sender likes.
func unread(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		body := &noticed{ReadCloser: r.Body}
		r.Body = body
		next.ServeHTTP(&closing{ResponseWriter: w, body: body}, r)
		if !body.read {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // not supported by a recorder in tests
		}
	})
}

// noticed is a body that knows whether it was read.
type noticed struct {
	io.ReadCloser
	read bool
}

// Read implements io.Reader.
func (n *noticed) Read(p []byte) (int, error) {
	n.read = true
	return n.ReadCloser.Read(p)
}

// closing tells the caller that an answer without its body ends the connection.
type closing struct {
	http.ResponseWriter
	body *noticed
}

// WriteHeader implements http.ResponseWriter.
func (c *closing) WriteHeader(status int) {
	if !c.body.read {
		c.Header().Set("Connection", "close")
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (c *closing) Write(p []byte) (int, error) {
	if !c.body.read {
		c.Header().Set("Connection", "close")
	}
	return c.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the connection.
func (c *closing) Unwrap() http.ResponseWriter { return c.ResponseWriter }
