package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/store/internal/db"
)

// feedEnd is the newest event of a shop's feed.
type feedEnd struct {
	Position int64     `json:"position"`
	Event    uuid.UUID `json:"event"`
}

// feedEnds are the ends of the feeds of all shops, as an entry of the audit log keeps them.
type feedEnds struct {
	Feeds map[uuid.UUID]feedEnd `json:"feeds"`
}

// AnchorFeeds writes the newest event of each shop into the audit log, and returns the number of shops. Events before it cannot be cut
// off unseen any more, also if the places are filled again.
func (s *Store) AnchorFeeds(ctx context.Context) (shops int, err error) {
	err = s.writeWithin(ctx, verifyLimit, "anchor the feeds", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		ends := feedEnds{map[uuid.UUID]feedEnd{}}
		all, err := q.Shops(ctx)
		if err != nil {
			return err
		}
		for _, shop := range all {
			end, err := q.FeedEnd(ctx, shop.ID)
			if err != nil {
				return err
			}
			for _, e := range end {
				ends.Feeds[shop.ID] = feedEnd{e.Position, e.ID}
			}
		}
		shops = len(ends.Feeds)
		return s.audit(ctx, q, act{action: "audit anchor", kind: "feeds", object: "of all shops", after: ends})
	})
	return shops, err
}

// readAnchors reads the ends of feeds that the audit log keeps, by shop. The seals of its entries are checked with the audit log.
func (v *verification) readAnchors(ctx context.Context) error {
	v.anchors = map[uuid.UUID]map[int64]uuid.UUID{}
	for after, more := int64(0), true; more; {
		err := v.store.read(ctx, "read the anchors of the feeds", func(ctx context.Context, q *db.Queries) error {
			entries, err := q.AnchorsAfter(ctx, db.AnchorsAfterParams{AfterSeq: after, MaxRows: auditPage})
			for _, e := range entries {
				after = e.Seq
				v.anchor(e.After)
			}
			more = len(entries) == auditPage
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// anchor adds the ends of feeds of one entry.
func (v *verification) anchor(entry []byte) {
	var ends feedEnds
	if json.Unmarshal(entry, &ends) != nil {
		return // not one that payrelay wrote
	}
	for shop, end := range ends.Feeds {
		if v.anchors[shop] == nil {
			v.anchors[shop] = map[int64]uuid.UUID{}
		}
		v.anchors[shop][end.Position] = end.Event
	}
}

// anchored verifies that the events which were once the newest of a shop's feed are there still.
func (v *verification) anchored(ctx context.Context, shop uuid.UUID) error {
	missing := v.anchors[shop]
	if len(missing) == 0 {
		return nil
	}
	positions := make([]int64, 0, len(missing))
	for position := range missing {
		positions = append(positions, position)
	}
	return v.store.readWithin(ctx, verifyLimit, "read anchored events", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.EventsAt(ctx, db.EventsAtParams{ShopID: shop, Positions: positions})
		there := map[int64]uuid.UUID{}
		for _, r := range rows {
			there[r.Position] = r.ID
		}
		if err != nil {
			return err
		}
		for position, event := range missing {
			if there[position] != event {
				v.found(Finding{"notifications", shop.String(), fmt.Sprintf("the event %d of the shop's feed is not the one that the audit log names: the end of the feed was cut off", position)})
			}
		}
		return nil
	})
}
