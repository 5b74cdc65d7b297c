package store

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/store/internal/db"
)

// keyUses remembers when keys were used, until it is written down. It is to the minute, so that a busy key costs a map's look-up.
type keyUses struct {
	mu   sync.Mutex
	last map[string]time.Time // by key id
}

func (u *keyUses) note(id string, at time.Time) {
	at = at.Truncate(time.Minute)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = map[string]time.Time{}
	}
	u.last[id] = at
}

// take returns what was noted since the last time.
func (u *keyUses) take() map[string]time.Time {
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
	for id, at := range last {
		p.Ids, p.Times = append(p.Ids, id), append(p.Times, at)
	}
	err := s.read(ctx, "write down the use of keys", func(ctx context.Context, q *db.Queries) error { return q.KeysUsed(ctx, p) })
	if err != nil {
		s.keyUses.mu.Lock()
		defer s.keyUses.mu.Unlock()
		if s.keyUses.last == nil {
			s.keyUses.last = map[string]time.Time{}
		}
		maps.Copy(last, s.keyUses.last)
		s.keyUses.last = last
	}
	return err
}
