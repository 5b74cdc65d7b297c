package store

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

const (
	// rewindMargin is how much further back than asked feeds are set: times are written before their transactions commit, and
	// clocks differ a little.
	rewindMargin = time.Minute
	// rewindLimit bounds a rewind, which reads all notifications.
	rewindLimit = 10 * time.Minute
)

// Feed implements payment.Store. Places follow the order of commits: whoever writes a notification holds its shop's counter until
// the commit. A cursor of an older epoch is set back to before what the database may have lost, and one from beyond the end to the end.
func (s *Store) Feed(ctx context.Context, shop uuid.UUID, after string, limit int) (payment.FeedPage, error) {
	limit = pageSize(limit)
	cursor, err := readFeedCursor(after)
	if err != nil {
		return payment.FeedPage{}, err
	}
	var rows []db.FeedRow
	var page payment.FeedPage
	var epoch int64
	err = s.read(ctx, "read the feed", func(ctx context.Context, q *db.Queries) error {
		place, err := q.FeedPlace(ctx, db.FeedPlaceParams{ShopID: shop, CursorEpoch: cursor.epoch})
		if err != nil {
			return err
		}
		epoch = place.Epoch
		from := min(cursor.position, place.Last, place.Floor)
		page.Rewound = from < cursor.position
		page.Cursor = after
		if page.Rewound {
			page.Cursor = feedCursor(epoch, from)
		}
		rows, err = q.Feed(ctx, db.FeedParams{ShopID: shop, AfterPosition: from, MaxRows: int32(limit + 1)}) //nolint:gosec // a page
		return err
	})
	if err != nil {
		return payment.FeedPage{}, err
	}
	page.Items = make([]payment.FeedItem, 0, min(len(rows), limit))
	for _, r := range rows[:min(len(rows), limit)] {
		page.Cursor = feedCursor(epoch, r.Position)
		item := payment.FeedItem{ID: r.ID, Cursor: page.Cursor}
		if item.Payload, _, err = s.usablePayload(r.OrderID, r.Sequence, r.DataKey, r.Payload); err != nil {
			return payment.FeedPage{}, err
		}
		if item.Payload != nil {
			page.Items = append(page.Items, item)
			continue
		}
		err := s.addOld(ctx, &item, payment.Key{Shop: shop, Order: r.OrderID}, int(r.Sequence))
		if errors.Is(err, payment.ErrFrozen) {
			continue // what its record says is not passed on
		}
		if err != nil {
			return payment.FeedPage{}, err
		}
		page.Items = append(page.Items, item)
	}
	if len(rows) > limit {
		page.Next = page.Cursor
	}
	return page, nil
}

// addOld adds what is left of a notification whose payload was removed, or cannot be decrypted.
func (s *Store) addOld(ctx context.Context, item *payment.FeedItem, key payment.Key, sequence int) (err error) {
	if item.Order, err = s.Order(ctx, key); err != nil {
		return err
	}
	history, err := s.History(ctx, key)
	for _, t := range history {
		if t.Sequence == sequence {
			item.Transition = t
		}
	}
	if err == nil && item.Transition.From == item.Transition.To {
		item.Transition.Dispute, err = s.disputeOfStep(ctx, key, sequence)
	}
	return err
}

// FeedCursor implements payment.Store. Times follow places but for the length of a transaction, so the place is a margin earlier.
func (s *Store) FeedCursor(ctx context.Context, shop uuid.UUID, since time.Time) (string, error) {
	var cursor string
	err := s.read(ctx, "find a place in the feed", func(ctx context.Context, q *db.Queries) error {
		place, err := q.FeedPlaceSince(ctx, db.FeedPlaceSinceParams{ShopID: shop, Since: since.Add(-rewindMargin)})
		cursor = feedCursor(place.Epoch, place.Before)
		return err
	})
	return cursor, err
}

// place is where a cursor stands. The zero value is the beginning of the feed.
type place struct{ epoch, position int64 }

func feedCursor(epoch, position int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(epoch, 10) + "." + strconv.FormatInt(position, 10)))
}

func readFeedCursor(cursor string) (place, error) {
	if cursor == "" {
		return place{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return place{}, payment.ErrCursor
	}
	epoch, position, ok := strings.Cut(string(raw), ".")
	e, err := strconv.ParseUint(epoch, 10, 63)
	if !ok || err != nil {
		return place{}, payment.ErrCursor
	}
	p, err := strconv.ParseUint(position, 10, 63)
	if err != nil {
		return place{}, payment.ErrCursor
	}
	return place{int64(e), int64(p)}, nil //nolint:gosec // 63 bits
}

// RewindFeeds begins a new epoch of the feeds: cursors from before are set back to before what was written since a time, less a
// margin. It is for a database that has lost what it had committed: a promoted standby, or a backup that was restored. It returns the
// number of shops.
func (s *Store) RewindFeeds(ctx context.Context, lostSince time.Time) (int64, error) {
	var shops int64
	err := s.writeWithin(ctx, rewindLimit, "set the feeds back", func(ctx context.Context, tx pgx.Tx) error {
		q, now, since := db.New(tx), s.Now(), lostSince.Add(-rewindMargin)
		epoch, err := q.RaiseFeedEpoch(ctx, db.RaiseFeedEpochParams{AtMillis: now.UnixMilli(), Since: since})
		if err != nil {
			return err
		}
		if shops, err = q.RewindFeeds(ctx, db.RewindFeedsParams{Epoch: epoch, Since: since}); err != nil {
			return err
		}
		return s.audit(ctx, q, act{action: "feed rewind", kind: "feeds", object: "all", after: map[string]any{"since": lostSince.UTC(), "shops": shops}})
	})
	return shops, err
}
