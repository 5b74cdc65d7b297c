package faults

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// receiver is the notification endpoint of one shop.
type receiver struct {
	shop    string
	webhook *standardwebhooks.Webhook
	server  *http.Server
	address string

	mu        sync.Mutex
	mood      string // "", shop_500, shop_hang or shop_lost
	disturbed int    // notifications that met a mood
	notices   []Notice
}

func newReceiver(ctx context.Context, shop, secret string) (*receiver, error) {
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{shop: shop, webhook: wh, address: l.Addr().String()}
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = r.server.Serve(l) }() // ends with Close
	return r, nil
}

func (r *receiver) be(mood string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mood = mood
}

func (r *receiver) met() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.disturbed
}

func (r *receiver) received() []Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Notice(nil), r.notices...)
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	if err != nil {
		return
	}
	r.mu.Lock()
	mood := r.mood
	if mood != "" {
		r.disturbed++
	}
	r.mu.Unlock()
	switch mood {
	case "shop_500": // nothing is kept
		w.WriteHeader(http.StatusInternalServerError)
		return
	case "shop_hang":
		wait(req.Context(), 3*time.Second)
		panic(http.ErrAbortHandler)
	}
	r.keep(req.Header, body)
	if mood == "shop_lost" { // kept, and the answer is lost
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) keep(header http.Header, body []byte) {
	var e struct {
		Sequence int `json:"sequence"`
		Order    struct {
			ID       string `json:"id"`
			Status   string `json:"status"`
			Captured int64  `json:"amount_captured"`
		} `json:"order"`
	}
	genuine := json.Unmarshal(body, &e) == nil && r.webhook.VerifyIgnoringTimestamp(body, header) == nil // a clock fault moves the timestamp too
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices = append(r.notices, Notice{
		Shop: r.shop, Order: e.Order.ID, Sequence: e.Sequence, Status: e.Order.Status, Captured: e.Order.Captured, Genuine: genuine, Payload: string(body),
	})
}
