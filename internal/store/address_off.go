package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// AddressOff is an address of a shop that answered 410: nothing is sent there until an operator resumes.
type AddressOff struct {
	URL  string
	At   time.Time
	Held int64 // notifications that wait for it
}

// AddressesOff returns the switched-off addresses of every shop, the first to be switched off first.
func (s *Store) AddressesOff(ctx context.Context) (map[uuid.UUID][]AddressOff, error) {
	var rows []db.SwitchedOffAddressesRow
	err := s.read(ctx, "load switched-off addresses", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.SwitchedOffAddresses(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	off := map[uuid.UUID][]AddressOff{}
	for _, r := range rows {
		off[r.ShopID] = append(off[r.ShopID], AddressOff{URL: r.Url, At: r.At.UTC(), Held: r.Held})
	}
	return off, nil
}

// switchOff switches an address off after a 410, if it is where the notification would go now and the attempt is the newest.
func switchOff(ctx context.Context, tx pgx.Tx, d *payment.Delivery, now time.Time) (bool, error) {
	q := db.New(tx)
	if _, err := q.LockShopByID(ctx, d.Key.Shop); err != nil {
		return false, err
	}
	current, err := q.GoneForNow(ctx, db.GoneForNowParams{
		Url: d.URL, ShopID: d.Key.Shop, OrderID: d.Key.Order, Sequence: int32(d.Sequence), Attempt: int32(d.Attempt), //nolint:gosec // counts
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil || !current {
		return false, err
	}
	if err := q.SwitchAddressOff(ctx, db.SwitchAddressOffParams{ShopID: d.Key.Shop, Url: d.URL, At: now}); err != nil {
		return false, err
	}
	_, err = q.HoldOrder(ctx, db.HoldOrderParams{ShopID: d.Key.Shop, OrderID: d.Key.Order})
	return true, err
}

// hold holds an order's notifications back whose address is switched off. An operator who resumes meanwhile waits for this
// transaction; one who has resumed already is why the caller asks again at a time.
func (s *Store) hold(ctx context.Context, tx pgx.Tx, key payment.Key, url string) (repeated time.Time, err error) {
	q := db.New(tx)
	_, err = q.KeepAddressOff(ctx, db.KeepAddressOffParams{ShopID: key.Shop, Url: url})
	if errors.Is(err, pgx.ErrNoRows) {
		return s.Now().Add(time.Second), nil
	}
	if err == nil {
		_, err = q.HoldOrder(ctx, db.HoldOrderParams{ShopID: key.Shop, OrderID: key.Order})
	}
	return time.Time{}, err
}

// resume switches every address of a shop on again. What was held back is due, and so is what waits for its next attempt: in
// order, at a bounded pace. The shop's row is locked.
func (s *Store) resume(ctx context.Context, tx pgx.Tx, shop uuid.UUID) error {
	q := db.New(tx)
	if err := q.SwitchAddressesOn(ctx, shop); err != nil {
		return err
	}
	return q.ReleaseShop(ctx, db.ReleaseShopParams{At: s.Now(), PauseMs: wakePause.Milliseconds(), ShopID: shop})
}
