package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// pausedShops are the shops whose direct card payments are paused, as the directory keeps them.
func pausedShops(ctx context.Context, q *db.Queries) (map[uuid.UUID]bool, error) {
	rows, err := q.PausedShops(ctx)
	paused := map[uuid.UUID]bool{}
	for _, r := range rows {
		paused[r.ShopID] = true
	}
	return paused, err
}

// PausedShop is a shop whose direct card payments are paused.
type PausedShop struct {
	Name  string
	Since time.Time
}

// PausedShops lists the shops whose direct card payments are paused.
func (s *Store) PausedShops(ctx context.Context) (list []PausedShop, err error) {
	err = s.read(ctx, "list paused shops", func(ctx context.Context, q *db.Queries) error {
		rows, err := q.PausedShops(ctx)
		for _, r := range rows {
			list = append(list, PausedShop{r.Name, r.Since.UTC()})
		}
		return err
	})
	return list, err
}

// SetPaused pauses the direct card payments of a shop, or ends that. The declines that led to a pause do not lead to the next.
func (s *Store) SetPaused(ctx context.Context, name string, paused bool) error {
	return s.act(ctx, "pause card payments", shopNamed(name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		id, err := lockShop(ctx, q, name)
		if err != nil {
			return act{}, err
		}
		done := act{action: "limit pause", kind: "shop", object: name, shop: name, before: pauseFacts(!paused), after: pauseFacts(paused)}
		if paused {
			n, err := q.PauseShop(ctx, db.PauseShopParams{ShopID: id, Since: s.Now()})
			return done, changedPause(n, err, "The direct card payments of this shop are paused already.")
		}
		done.action = "limit resume"
		if err := q.ForgetDeclines(ctx, id.String()); err != nil {
			return act{}, err
		}
		n, err := q.ResumeShop(ctx, id)
		return done, changedPause(n, err, "The direct card payments of this shop are not paused.")
	})
}

func changedPause(n int64, err error, same string) error {
	if err == nil && n == 0 {
		return &payment.Error{Code: payment.CodeInvalidState, Message: same}
	}
	return err
}

func pauseFacts(paused bool) map[string]any { return map[string]any{"card_payments_paused": paused} }

// PauseCollector tells Prometheus how many shops are paused, as far as this replica knows.
func (s *Store) PauseCollector() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "payrelay_card_payments_paused", Help: "Shops whose direct card payments are paused, because issuers declined too many. 'server limit list' names them.",
	}, func() float64 {
		if e := s.directory.current.Load(); e != nil {
			return float64(len(e.paused))
		}
		return 0
	})
}
