package scenario

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Receiver is the shop's address for notifications. It verifies each and keeps what it says.
type Receiver struct {
	mu      sync.Mutex
	webhook *standardwebhooks.Webhook
	byOrder map[string][]notification
	invalid int
}

// notification is the part that the records are compared by.
type notification struct {
	Type     string `json:"type"`
	Sequence int    `json:"sequence"`
	Order    struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	} `json:"order"`
}

// NewReceiver returns one that takes nothing until it has a secret.
func NewReceiver() *Receiver { return &Receiver{byOrder: map[string][]notification{}} }

// Verify says by which secret, whsec_…, notifications are signed.
func (s *Receiver) Verify(secret string) error {
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.webhook = w
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	s.mu.Lock()
	defer s.mu.Unlock()
	var n notification
	if err != nil || s.webhook == nil || s.webhook.Verify(body, r.Header) != nil || json.Unmarshal(body, &n) != nil {
		s.invalid++
		http.Error(w, "the signature does not hold", http.StatusUnauthorized)
		return
	}
	s.byOrder[n.Order.ID] = append(s.byOrder[n.Order.ID], n)
	w.WriteHeader(http.StatusNoContent)
}

// about returns an order's notifications by their sequence, each once, and how many came whose signature did not hold.
func (s *Receiver) about(order string) (bySequence map[int]notification, invalid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bySequence = map[int]notification{}
	for _, n := range s.byOrder[order] {
		bySequence[n.Sequence] = n
	}
	return bySequence, s.invalid
}

// heard reports whether a notification of this type came about an order.
func (s *Receiver) heard(order, kind string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.byOrder[order] {
		if n.Type == kind {
			return true
		}
	}
	return false
}
