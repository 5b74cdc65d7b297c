package store

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// Feed implements payment.Store. Rows stand in the order of the transactions that wrote them, and only those are shown
// that are older than every transaction still open: no later commit can land before them.
func (s *Store) Feed(ctx context.Context, shop uuid.UUID, after string, limit int) (payment.Page[payment.FeedItem], error) {
	limit = pageSize(limit)
	xid, position, err := readFeedCursor(after)
	if err != nil {
		return payment.Page[payment.FeedItem]{}, err
	}
	var rows []db.FeedRow
	err = s.read(ctx, "read the feed", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Feed(ctx, db.FeedParams{ShopID: shop, AfterXid: xid, AfterPosition: position, MaxRows: int32(limit + 1)}) //nolint:gosec // a page
		return err
	})
	if err != nil {
		return payment.Page[payment.FeedItem]{}, err
	}
	page := payment.Page[payment.FeedItem]{Items: make([]payment.FeedItem, 0, min(len(rows), limit))}
	for _, r := range rows[:min(len(rows), limit)] {
		page.Items = append(page.Items, payment.FeedItem{ID: r.ID, Payload: []byte(r.Payload), Cursor: feedCursor(r.Xid, r.Position)})
	}
	if len(rows) > limit {
		page.Next = page.Items[limit-1].Cursor
	}
	return page, nil
}

func feedCursor(xid string, position int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(xid + "." + strconv.FormatInt(position, 10)))
}

func readFeedCursor(cursor string) (xid string, position int64, err error) {
	if cursor == "" {
		return "0", 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", 0, payment.ErrCursor
	}
	xid, rest, ok := strings.Cut(string(raw), ".")
	n, err := strconv.ParseUint(xid, 10, 64)
	if !ok || err != nil {
		return "", 0, payment.ErrCursor
	}
	if position, err = strconv.ParseInt(rest, 10, 64); err != nil {
		return "", 0, payment.ErrCursor
	}
	return strconv.FormatUint(n, 10), position, nil
}

// FeedFromElsewhere reports whether the feed has rows of transactions that this database cluster has not begun yet: it was
// restored from a dump of another. They stay hidden, and new rows stand before the places that shops have read up to.
func (s *Store) FeedFromElsewhere(ctx context.Context) (elsewhere bool, err error) {
	err = s.read(ctx, "look for a feed of another cluster", func(ctx context.Context, q *db.Queries) (err error) {
		elsewhere, err = q.FeedFromElsewhere(ctx)
		return err
	})
	return elsewhere, err
}
