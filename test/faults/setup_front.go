package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// front stands where a load balancer would: providers send their callbacks to it, and it passes each to one replica. It
// keeps every callback and what was answered.
type front struct {
	server   *http.Server
	address  string
	client   *http.Client
	accounts map[string]account // by callback path

	mu       sync.Mutex
	replicas []string
	turn     int
	seen     []callback
	acked    map[Acknowledged]bool
	crashes  []Crash
}

// account is what a callback's dedupe key is made of, beside its signature.
type account struct {
	provider string
	id       [16]byte
}

type callback struct {
	path, kind string
	body       []byte
}

func newFront(ctx context.Context) (*front, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &front{address: l.Addr().String(), acked: map[Acknowledged]bool{}, client: &http.Client{Timeout: 5 * time.Second}}
	f.server = &http.Server{Handler: http.HandlerFunc(f.serve), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = f.server.Serve(l) }() // ends with close
	return f, nil
}

func (f *front) close() {
	_ = f.server.Close()
	f.client.CloseIdleConnections()
}

func (f *front) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	c := callback{r.URL.Path, r.Header.Get("Content-Type"), body}
	status := f.pass(r.Context(), c)
	w.WriteHeader(status)
}

// pass gives a callback to the next replica and returns its answer, 502 if there is none.
func (f *front) pass(ctx context.Context, c callback) int {
	f.mu.Lock()
	f.turn++
	to := f.replicas[f.turn%len(f.replicas)]
	f.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to+c.path, bytes.NewReader(c.body))
	if err != nil {
		return http.StatusBadGateway
	}
	req.Header.Set("Content-Type", c.kind)
	res, err := f.client.Do(req)
	if err != nil {
		return http.StatusBadGateway
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 4096)) // the status is what counts
	_ = res.Body.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch a, ok := f.accounts[c.path]; {
	case !ok:
	case res.StatusCode == http.StatusOK:
		sum := sha256.New()
		for _, part := range [][]byte{[]byte(a.provider), {0}, a.id[:], {0}, signatureOf(c.body)} {
			sum.Write(part)
		}
		key := Acknowledged{idText(a.id), hex.EncodeToString(sum.Sum(nil))}
		if !f.acked[key] {
			f.acked[key] = true
			f.seen = append(f.seen, c)
		}
	case res.StatusCode == http.StatusInternalServerError:
		f.crashes = append(f.crashes, Crash{"callback of " + a.provider, strings.TrimSpace(string(text))})
	}
	return res.StatusCode
}

// signatureOf returns the signature in a callback's body, which is what tells callbacks apart: that of a form, or of a token.
func signatureOf(body []byte) []byte {
	var sealed struct{ Token string }
	if json.Unmarshal(body, &sealed) == nil {
		signature, _ := base64.RawURLEncoding.DecodeString(sealed.Token[strings.LastIndexByte(sealed.Token, '.')+1:])
		return signature
	}
	form, _ := url.ParseQuery(string(body))
	signature, _ := hex.DecodeString(form.Get("sign"))
	return signature
}

// acknowledged lists the callbacks that were answered 200 so far.
func (f *front) acknowledged() []Acknowledged {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.acked))
}

// storm sends each of the last callbacks again, many times at once, and returns how many it had.
func (f *front) storm(ctx context.Context, last, times int) int {
	f.mu.Lock()
	list := append([]callback(nil), f.seen[max(0, len(f.seen)-last):]...)
	f.mu.Unlock()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for range times {
		for _, c := range list {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				f.pass(ctx, c)
			})
		}
	}
	wg.Wait()
	return len(list)
}
