package payment

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/google/uuid"
)

// idMaker makes UUIDv7 by the service's clock, so that the orders of a period lie in a range of ids: see IDsFrom. A later
// id of one maker is greater.
type idMaker struct {
	now func() time.Time

	mu   sync.Mutex
	last int64 // milliseconds, and 12 bits that count within one
}

func (m *idMaker) next() uuid.UUID {
	const nanoseconds = int64(time.Millisecond)
	at := m.now().UnixNano()
	m.mu.Lock()
	m.last = max(at/nanoseconds<<12|at%nanoseconds>>8, m.last+1)
	stamp := uint64(m.last) //nolint:gosec // after 1970
	m.mu.Unlock()
	id := uuid.New()
	binary.BigEndian.PutUint64(id[:8], stamp>>12<<16|7<<12|stamp&0xfff)
	return id
}

// idAt returns an id of a time, for what an observation brings into being. Two of one millisecond are in no order.
func idAt(at time.Time) uuid.UUID {
	id, first := uuid.New(), firstID(at)
	copy(id[:6], first[:6])
	id[6] = id[6]&0x0f | 0x70
	return id
}

// idTolerance is by how much the time in an order's id and its created_at may differ: the two are read one after the other.
const idTolerance = time.Minute

// IDsFrom returns the least id that an order created at from or later may have.
func IDsFrom(from time.Time) uuid.UUID { return firstID(from.Add(-idTolerance)) }

// IDsTo returns an id that every order created before to is below.
func IDsTo(to time.Time) uuid.UUID { return firstID(to.Add(idTolerance)) }

// firstID returns the least UUID of a millisecond. The API's times are of the years 0 to 9999, which 48 bits can hold from 1970 on.
func firstID(at time.Time) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:8], uint64(max(at.UnixMilli(), 0))<<16) //nolint:gosec // not negative
	return id
}
