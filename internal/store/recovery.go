package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/store/internal/db"
)

const (
	// downAfter is how many failures in a row mean that a destination is down. Fewer are a coincidence, or a shop that
	// refuses one notification among many that it takes.
	downAfter = 3
	// wakePause is the pace at which what waits for a destination becomes due, wakeAhead how far that is planned.
	wakePause = 20 * time.Millisecond
	wakeAhead = 2 * time.Second
)

// recovered hears of a success at a destination that failed before. If it was down, what failed until now becomes due, a
// bounded number with each success. What fails from now on keeps its own plan: a destination that is down again is found by
// its failures.
func (s *Store) recovered(ctx context.Context, tx pgx.Tx, shop uuid.UUID, destination string) error {
	q := db.New(tx)
	row, err := q.LockFailingDestination(ctx, db.LockFailingDestinationParams{ShopID: shop, Destination: destination})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	works := db.DestinationWorksParams{ShopID: shop, Destination: destination}
	now := s.Now()
	since, soon := now, now.Add(wakeAhead)
	switch {
	case row.RecoveringSince != nil:
		since = *row.RecoveringSince
	case row.Failures < downAfter:
		return q.DestinationWorks(ctx, works)
	}
	if err := q.WakeNotifications(ctx, db.WakeNotificationsParams{
		At: now, PauseMs: wakePause.Milliseconds(), ShopID: shop, Destination: destination, Soon: soon, Since: since, Most: int64(wakeAhead / wakePause),
	}); err != nil {
		return err
	}
	more, err := q.StillWaiting(ctx, db.StillWaitingParams{ShopID: shop, Destination: destination, Soon: soon, Since: since})
	if err != nil {
		return err
	}
	if !more {
		return q.DestinationWorks(ctx, works)
	}
	return q.DestinationRecovers(ctx, db.DestinationRecoversParams{Since: since, ShopID: shop, Destination: destination})
}
