package demoshop

import (
	"encoding/json"
	"sync"
	"time"

	"payrelay/internal/sandbox/locale"
)

// keep is how many notifications the page shows.
const keep = 500

// received is one notification as the page and the tests see it.
type received struct {
	ID        string    `json:"id"` // the webhook-id
	Type      string    `json:"type"`
	Sequence  int       `json:"sequence"`
	OrderID   string    `json:"order_id"`
	Reference string    `json:"reference"`
	Kind      string    `json:"kind"`
	Status    string    `json:"status"`
	Minor     int64     `json:"amount"` // minor units of Currency
	Currency  string    `json:"currency"`
	Verified  bool      `json:"verified"`
	At        time.Time `json:"at"`

	raw []byte
}

// Sum is the order's amount.
func (r received) Sum() locale.Sum { return locale.Sum{Minor: r.Minor, Currency: r.Currency} }

// event is the part of a notification that the shop reads.
type event struct {
	Type     string `json:"type"`
	Sequence int    `json:"sequence"`
	Order    struct {
		ID        string `json:"id"`
		Kind      string `json:"kind"`
		Reference string `json:"reference"`
		Status    string `json:"status"`
		Amount    int64  `json:"amount"`
		Currency  string `json:"currency"`
	} `json:"order"`
}

func decode(id string, body []byte, at time.Time) (received, error) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return received{}, err
	}
	return received{
		ID: id, Type: e.Type, Sequence: e.Sequence, OrderID: e.Order.ID, Reference: e.Order.Reference, Kind: e.Order.Kind,
		Status: e.Order.Status, Minor: e.Order.Amount, Currency: e.Order.Currency, Verified: true, At: at, raw: body,
	}, nil
}

// inbox holds the newest notifications. Its faults make the next ones fail.
type inbox struct {
	mu    sync.Mutex
	items []received // oldest first
	seen  map[string]bool
	// faults left, and the status that they answer with
	failStatus, failCount int
	rejected              int
}

// add keeps a notification once for each id, and reports whether it was new.
func (b *inbox) add(r received) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen[r.ID] {
		return false
	}
	if b.seen == nil {
		b.seen = map[string]bool{}
	}
	b.seen[r.ID] = true
	b.items = append(b.items, r)
	if len(b.items) > keep {
		delete(b.seen, b.items[0].ID)
		b.items = append([]received(nil), b.items[1:]...)
	}
	return true
}

func (b *inbox) reject() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rejected++
}

func (b *inbox) fail(status, count int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failStatus, b.failCount = status, count
}

// fault takes one of the faults, if any is left.
func (b *inbox) fault() (status int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failCount <= 0 {
		return 0, false
	}
	b.failCount--
	return b.failStatus, true
}

// list returns what match selects, the newest first, and how many were rejected so far.
func (b *inbox) list(match func(received) bool) (found []received, rejected int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found = []received{}
	for i := len(b.items) - 1; i >= 0; i-- {
		if match == nil || match(b.items[i]) {
			found = append(found, b.items[i])
		}
	}
	return found, b.rejected
}

// latest returns the order's notification with the highest sequence, however they arrived.
func latest(items []received) (newest received, ok bool) {
	for _, r := range items {
		if !ok || r.Sequence > newest.Sequence {
			newest, ok = r, true
		}
	}
	return newest, ok
}
