package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/faultpoint"
	"payrelay/internal/idempotency"
	"payrelay/internal/orderid"
	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/secrets"
)

// Renderer makes the notification of a transition: its type and the exact bytes to sign and send. o is the order as of
// the transition.
type Renderer func(o *payment.Order, t payment.Transition, id uuid.UUID) (typ string, payload []byte, err error)

// Options are what a store works with.
type Options struct {
	// Keyring encrypts. Without it, whatever touches an encrypted column is an error.
	Keyring *secrets.Keyring
	// Sender takes notifications to the shops; nil leaves all to DueDeliveries.
	Sender Sender
	// Render makes notifications; nil makes none.
	Render Renderer
	// Now is the clock; the system's in UTC.
	Now func() time.Time
	// NewID makes ids; UUIDv7.
	NewID func() uuid.UUID
	// LimitHit is told of an order that goes beyond a limit, whether it was refused or not; may be nil.
	LimitHit func(context.Context, payment.LimitHit)
	// OwnSchedules names the providers that charge mandates by their own schedule.
	OwnSchedules []string
	// Operator is who uses the store, for the audit log; nil is the service itself.
	Operator *Operator
	// SealBroken is told of each row that is found changed past the service; nil tells nobody.
	SealBroken func(Finding)
	// Limit is how long a method waits for the database at most, whatever its caller's context allows; DefaultLimit.
	// Then it returns a *payment.Error of CodeUnavailable.
	Limit time.Duration
}

// Store is the database. It is safe for concurrent use. It does not close the pool.
type Store struct {
	pool *pgxpool.Pool
	Options
	serviceKeys sync.Map // name → []byte
	directory   directory
	keyUses     keyUses
	health      health

	orderIDCodec  atomic.Pointer[orderid.Codec]
	shopNumbers   sync.Map // shop id → uint32
	shopsByNumber sync.Map // uint32 → shop id
	committer     committer
	onCitus       atomic.Pointer[bool] // nil until it was asked
	seals         atomic.Pointer[seal.Sealer]
}

var (
	_ payment.Store     = (*Store)(nil)
	_ payment.Outbox    = (*Store)(nil)
	_ idempotency.Store = Idempotency{}
)

// New returns a store over pool.
func New(pool *pgxpool.Pool, opts Options) *Store {
	if opts.Now == nil {
		opts.Now = func() time.Time { return faultpoint.Now().UTC().Truncate(time.Microsecond) }
	}
	if opts.NewID == nil {
		opts.NewID = func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	}
	if opts.Limit <= 0 {
		opts.Limit = DefaultLimit
	}
	return &Store{pool: pool, Options: opts, directory: directory{turn: make(chan struct{}, 1)}}
}
