// Package requestlog holds the words in which the merchant API and the store talk about the log of a shop's requests.
package requestlog

import (
	"context"
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// Entry is a request as it is kept. It has fixed fields only: no body, no header, and no address but the route's pattern.
type Entry struct {
	Shop      uuid.UUID
	ID        uuid.UUID // a UUIDv7 of when it ended
	At        time.Time // when it came
	RequestID string
	Method    string
	Route     string
	Status    int
	Code      string // of an error, else empty
	KeyID     string
	ClientIP  netip.Addr // invalid if nobody knows
	Duration  time.Duration
	Order     uuid.UUID // zero if none is known
	Replayed  bool      // an earlier answer was given under an Idempotency-Key
}

// Filter says which entries are wanted.
type Filter struct {
	Shop uuid.UUID
	// StatusClass is the first digit of the status, 0 for any.
	StatusClass int
	Order       uuid.UUID // zero for any
	Cursor      string
	Limit       int
}

// Page is a part of the log, the newest first. Next is where the rest begins, "" at the end.
type Page struct {
	Items []Entry
	Next  string
}

// Log keeps entries.
type Log interface {
	// Add keeps an entry soon, or drops it if too many wait. It never waits.
	Add(e Entry)
	// Requests returns entries of a shop.
	Requests(ctx context.Context, f Filter) (Page, error)
}
