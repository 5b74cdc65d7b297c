package uapay

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/google/uuid"
)

// store holds sessions, cards and orders of all clients and forgets the oldest
// beyond its limit. It is guarded by the simulator's mutex.
type store struct {
	max      int
	sessions *bounded[session]
	cards    *bounded[*Card]
	orders   map[string]*Order // by order, payment and operation id
	external map[string]*Order // newest by client, kind of engine and externalId
	receipts map[string]*Order
	sequence []*Order
}

type session struct {
	client  string
	created time.Time
}

func newStore(limit int) *store {
	return &store{
		max: limit, sessions: newBounded[session](limit), cards: newBounded[*Card](limit),
		orders: map[string]*Order{}, external: map[string]*Order{}, receipts: map[string]*Order{},
	}
}

func externalKey(client, externalID string, invoice bool) string {
	if invoice {
		return client + "\x00invoice\x00" + externalID
	}
	return client + "\x00transfer\x00" + externalID
}

// add stores an order and forgets the oldest one when there are too many.
func (s *store) add(o *Order) {
	s.orders[o.ID] = o
	s.external[externalKey(o.ClientID, o.ExternalID, o.Kind == KindInvoice)] = o
	s.sequence = append(s.sequence, o)
	if len(s.sequence) > s.max {
		s.forget(s.sequence[0])
		s.sequence[0] = nil
		s.sequence = s.sequence[1:]
	}
}

// index makes a payment and its operations findable by id.
func (s *store) index(o *Order, p *Payment) {
	s.orders[p.ID] = o
	s.receipts[p.ReceiptID] = o
	for _, op := range p.Operations {
		s.orders[op.ID] = o
	}
}

func (s *store) forget(o *Order) {
	delete(s.orders, o.ID)
	if key := externalKey(o.ClientID, o.ExternalID, o.Kind == KindInvoice); s.external[key] == o {
		delete(s.external, key)
	}
	for _, p := range o.Payments {
		delete(s.orders, p.ID)
		delete(s.receipts, p.ReceiptID)
		for _, op := range p.Operations {
			delete(s.orders, op.ID)
		}
	}
}

// find returns an order of a client by any of its ids.
func (s *store) find(client, id string) *Order {
	if o := s.orders[id]; o != nil && o.ClientID == client {
		return o
	}
	return nil
}

// named returns the orders of a client whose externalId is one of the given ones; several may have the same.
func (s *store) named(client string, external []string) (out []*Order) {
	for _, o := range s.sequence {
		if o.ClientID == client && slices.Contains(external, o.ExternalID) {
			out = append(out, o)
		}
	}
	return out
}

// any finds an order by id or externalId whoever owns it, the newest first.
func (s *store) any(id string) *Order {
	if o := s.orders[id]; o != nil {
		return o
	}
	for _, o := range slices.Backward(s.sequence) {
		if o.ExternalID == id {
			return o
		}
	}
	return nil
}

// bounded is a map that forgets its oldest entry beyond a limit.
type bounded[V any] struct {
	max   int
	all   map[string]V
	order []string
}

func newBounded[V any](limit int) *bounded[V] { return &bounded[V]{max: limit, all: map[string]V{}} }

func (b *bounded[V]) put(key string, v V) {
	b.all[key] = v
	b.order = append(b.order, key)
	if len(b.order) > b.max {
		delete(b.all, b.order[0])
		b.order = b.order[1:]
	}
}

func (b *bounded[V]) get(key string) (V, bool) {
	v, ok := b.all[key]
	return v, ok
}

func newID() string { return uuid.NewString() }

// newReceipt makes twelve characters A-Z0-9.
func newReceipt() string { return randomText(12, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") }

// newKey makes a key like the documented ones: 43 characters, a dot, 20 characters.
func newKey() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	return randomText(43, letters) + "." + randomText(20, letters)
}

func randomText(n int, alphabet string) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
