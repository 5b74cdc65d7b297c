// Package idempotency holds the words in which the merchant API and the store talk about Idempotency-Key: what was
// asked under a key, and the answer that a repeat gets.
package idempotency

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

var (
	// ErrInProgress says that the first request of the key is still running.
	ErrInProgress = errors.New("a request with this Idempotency-Key is still running")
	// ErrMismatch says that the key was used for another request.
	ErrMismatch = errors.New("this Idempotency-Key was used for another request")
)

// Response is an answer as it was sent. It holds no card data.
type Response struct {
	Status int
	Header map[string]string // the few headers that belong to the answer, such as Content-Type
	Body   []byte
}

// Claim is a key in the hands of the one request that goes ahead under it.
type Claim struct {
	Shop uuid.UUID
	Key  string
	// Owner tells claims of one key apart: each has another.
	Owner uuid.UUID
}

// Store remembers keys, for each shop its own.
type Store interface {
	// Begin claims the key for the length of lease. It returns a claim and no answer to go ahead, the first answer to
	// replay, or ErrInProgress or ErrMismatch. A claim whose lease ran out without an answer (the process died) may be taken over
	// by a request with the same hash.
	Begin(ctx context.Context, shop uuid.UUID, key string, requestHash []byte, lease time.Duration) (Claim, *Response, error)
	// Renew lets a claim's lease end that long from now. It fails if another request has taken the claim over.
	Renew(ctx context.Context, c Claim, lease time.Duration) error
	// Finish keeps the answer for replay, unless one was kept before, by a commit that the caller did not learn of. It returns the
	// answer that is kept: a repeat may have got it already. It fails if another request has taken the claim over.
	Finish(ctx context.Context, c Claim, r Response) (Response, error)
	// Abandon gives the claim up, so that a repeat runs again: for answers that must not be replayed, such as refusals. A
	// claim that another request has taken over is left to it.
	Abandon(ctx context.Context, c Claim) error
}
