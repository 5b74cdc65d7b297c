package fault

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Before applies the faults that come before the request is carried out. It returns the
// HTTP status it answered and true when the request must not be carried out. A
// dropped connection leaves through a panic with http.ErrAbortHandler, which
// net/http turns into a closed connection.
func (p Plan) Before(ctx context.Context, w http.ResponseWriter) (int, bool) {
	if f, ok := p.Find(DelayBefore); ok {
		pause(ctx, f.DelayMS)
	}
	switch {
	case p.Has(DropBefore):
		panic(http.ErrAbortHandler)
	case p.Has(BadGatewayBefore):
		return writeHTML(w, http.StatusBadGateway), true
	case p.Has(TooManyRequests):
		w.Header().Set("Retry-After", "1")
		return writeHTML(w, http.StatusTooManyRequests), true
	}
	return 0, false
}

// After writes the answer of a request that was carried out, as far as the plan
// lets it through, and returns the HTTP status that the caller saw.
func (p Plan) After(ctx context.Context, w http.ResponseWriter, status int, contentType string, body []byte) int {
	if f, ok := p.Find(DelayAfter); ok {
		pause(ctx, f.DelayMS)
	}
	switch {
	case p.Has(DropAfter):
		panic(http.ErrAbortHandler)
	case p.Has(BadGatewayAfter):
		return writeHTML(w, http.StatusBadGateway)
	case p.Has(ServerErrorHTML):
		return writeHTML(w, http.StatusInternalServerError)
	}
	w.Header().Set("Content-Type", contentType)
	if p.Has(TruncatedJSON) {
		body = body[:len(body)/2]
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if p.Has(CloseMidBody) {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
	return status
}

func pause(ctx context.Context, ms int) {
	t := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func writeHTML(w http.ResponseWriter, status int) int {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	body := "<!DOCTYPE html><html><head><title>" + title + "</title></head><body><h1>" + title + "</h1><hr><p>nginx</p></body></html>\n"
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
	return status
}
