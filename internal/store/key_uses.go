package store

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/store/internal/db"
)

// keyUse is a key and where it was used from.
type keyUse struct {
	id   string
	from netip.Addr
}

// keyUsesMost is how many uses are kept apart between two writings. Beyond it, the address of a new one is left out.
const keyUsesMost = 20_000

// keyUses remembers when and from where keys were used, until it is written down. It is to the minute, so that a busy key costs a
// map's look-up.
type keyUses struct {
	mu   sync.Mutex
	last map[keyUse]time.Time
}

func (u *keyUses) note(id string, from netip.Addr, at time.Time) {
	use := keyUse{id, usedFrom(from)}
	at = at.Truncate(time.Minute)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = map[keyUse]time.Time{}
	}
	if _, known := u.last[use]; !known && len(u.last) >= keyUsesMost {
		use.from = netip.IPv6Unspecified()
	}
	u.last[use] = at
}

// usedFrom is an address as it is kept: of IPv6 the network of one customer, which has any number of addresses.
func usedFrom(from netip.Addr) netip.Addr {
	from = from.Unmap().WithZone("")
	switch {
	case !from.IsValid():
		return netip.IPv6Unspecified()
	case from.Is6():
		return netip.PrefixFrom(from, 64).Masked().Addr()
	}
	return from
}

// take returns what was noted since the last time.
func (u *keyUses) take() map[keyUse]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	last := u.last
	u.last = nil
	return last
}

// keyUsesPause is how far apart the times of use are written down.
const keyUsesPause = time.Minute

// KeepKeyUses writes down when keys are used until ctx is done, and then once more. What cannot be written costs a time in a list.
func (s *Store) KeepKeyUses(ctx context.Context, log zerolog.Logger) {
	tick := time.NewTicker(keyUsesPause)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		if err := s.WriteKeyUses(context.WithoutCancel(ctx)); err != nil {
			log.Warn().Err(err).Msg("when keys were used is not written down yet")
		}
	}
}

// WriteKeyUses writes down when keys were used since the last time. What cannot be written is kept for the next time.
func (s *Store) WriteKeyUses(ctx context.Context) error {
	last := s.keyUses.take()
	if len(last) == 0 {
		return nil
	}
	var p db.KeysUsedParams
	for use, at := range last {
		p.Ids, p.Addresses, p.Times = append(p.Ids, use.id), append(p.Addresses, use.from), append(p.Times, at)
	}
	err := s.read(ctx, "write down the use of keys", func(ctx context.Context, q *db.Queries) error { return q.KeysUsed(ctx, p) })
	if err != nil {
		s.keyUses.mu.Lock()
		defer s.keyUses.mu.Unlock()
		if s.keyUses.last == nil {
			s.keyUses.last = map[keyUse]time.Time{}
		}
		maps.Copy(last, s.keyUses.last)
		s.keyUses.last = last
	}
	return err
}
