package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

const (
	// maxBatch is how many writes share a commit at most.
	maxBatch = 64
	// committers is how many batches are under way at once: while one waits for the disk, the next is made.
	committers = 2
)

// errAlone says that a write cannot be done in a batch: its order is locked by somebody, is a refund, or is not there; or the
// batch failed, perhaps because of another write in it. It is done in a transaction of its own then.
var errAlone = errors.New("the write goes alone")

// write is something to be written, in a commit that it may share with others. Exactly one of insert, claim, finish, delivered,
// update and callback is set. The results are valid when commit has returned.
type write struct {
	doing     string
	insert    *db.InsertOrderParams
	claim     *db.ClaimIdempotencyKeyParams
	finish    *db.FinishIdempotencyKeyParams
	delivered *deliveredRow
	update    *payment.Key
	callback  *payment.Callback
	// callbackShop is whose order a callback is about, if its id tells.
	callbackShop *uuid.UUID
	// judge changes the order of an update or callback. It may run several times.
	judge func(*payment.Order) error
	// along is an answer that is kept with an update, if there is one.
	along *idempotency.Along
	// verdict is what judge made of a callback.
	verdict func() (verdict payment.Verdict, reason string)

	done     bool                  // an insert, claim, finish or answer along found its place, a delivery was not settled before
	answer   *idempotency.Response // along, as it was written
	after    afterDelivery         // what is to be done after a delivery
	order    *payment.Order        // of an update or callback, as written
	kept     *keptVerdict          // of a callback that was kept before
	err      error
	panicked any // what judge panicked with

	gone  func() error // why the caller does not wait any more, nil while it does
	ready chan struct{}
}

// reset forgets the results of a batch that was not committed.
func (w *write) reset(err error) {
	w.done, w.answer, w.after, w.order, w.kept, w.err, w.panicked = false, nil, afterDelivery{}, nil, nil, err, nil
}

// committer makes batches of the writes that wait. Whoever brings a write makes the next batch itself if fewer than committers
// are under way: a lone write waits for nobody. After one batch of its own it leaves those that wait to a new goroutine.
type committer struct {
	mu      sync.Mutex
	waiting []*write
	running int
	byShop  bool // a batch is of one shop
	batches int  // begun so far
	broken  int  // batches that failed
}

// commit does a write in a batch. A write whose caller goes away before it is judged, or before a batch takes it, is not done;
// after that it is done or fails as if the caller waited. errAlone means that nothing was done.
func (s *Store) commit(ctx context.Context, w *write) error {
	if ctx.Err() != nil {
		return translate(w.doing, ctx.Err())
	}
	if err := s.readySeal(ctx); err != nil {
		return err
	}
	distributed, err := s.distributed(ctx)
	if err != nil {
		return err
	}
	w.gone, w.ready = ctx.Err, make(chan struct{})
	c := &s.committer
	c.mu.Lock()
	c.byShop = distributed
	c.waiting = append(c.waiting, w)
	leads := c.running < committers
	if leads {
		c.running++
	}
	c.mu.Unlock()
	if leads {
		s.lead(ctx, false)
	}
	if err := c.wait(ctx, w); err != nil {
		return translate(w.doing, err)
	}
	if w.panicked != nil {
		panic(w.panicked)
	}
	return w.err
}

// wait returns when a write is done, or was withdrawn: nothing was sent then.
func (c *committer) wait(ctx context.Context, w *write) error {
	limit := time.NewTimer(acquireLimit)
	defer limit.Stop()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		if c.withdraw(w) {
			return ctx.Err()
		}
	case <-limit.C:
		if c.withdraw(w) {
			return unavailable(fmt.Errorf("wait for a commit: %w", payment.ErrNothingSent))
		}
	}
	<-w.ready
	return nil
}

func (c *committer) withdraw(w *write) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiting, w)
	if i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	return i >= 0
}

// take returns the writes of the next batch: one of each order, and where batches are by shop, of one shop. None ends the run of the caller.
func (c *committer) take() []*write {
	c.mu.Lock()
	defer c.mu.Unlock()
	orders := map[any]bool{}
	var batch, left []*write
	for _, w := range c.waiting {
		key := w.subject()
		if len(batch) == maxBatch || key != nil && orders[key] || c.byShop && len(batch) > 0 && w.shop() != batch[0].shop() {
			left = append(left, w)
			continue
		}
		orders[key] = true
		batch = append(batch, w)
	}
	c.waiting = left
	if len(batch) == 0 {
		c.running--
	} else {
		c.batches++
	}
	return batch
}

// subject is what only one write of a batch may be about, nil for none.
func (w *write) subject() any {
	type delivered payment.Key // which an update of the order does not disturb
	switch {
	case w.delivered != nil:
		return delivered{w.delivered.ShopID, w.delivered.OrderID}
	case w.update != nil:
		return *w.update
	case w.callback != nil:
		return w.callback.ProviderOrderID
	}
	return nil
}

// shop is whose rows are written.
func (w *write) shop() uuid.UUID {
	switch {
	case w.insert != nil:
		return w.insert.ShopID
	case w.claim != nil:
		return w.claim.ShopID
	case w.finish != nil:
		return w.finish.ShopID
	case w.delivered != nil:
		return w.delivered.ShopID
	case w.update != nil:
		return w.update.Shop
	}
	if w.callbackShop != nil {
		return *w.callbackShop
	}
	return uuid.Nil
}

// lead makes one batch after the other while writes wait. The first is the caller's; all others are left to a goroutine.
func (s *Store) lead(ctx context.Context, all bool) {
	for batch := s.committer.take(); len(batch) > 0; batch = s.committer.take() {
		s.commitTogether(ctx, batch)
		if !all {
			go s.lead(context.WithoutCancel(ctx), true)
			return
		}
	}
}

// commitTogether commits a batch and lets everybody know.
func (s *Store) commitTogether(ctx context.Context, batch []*write) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limit)
	defer cancel()
	err := s.once(ctx, func(ctx context.Context, conn *pgxpool.Conn) error { return s.commitBatch(ctx, conn, batch) })
	if err != nil {
		s.committer.mu.Lock()
		s.committer.broken++
		s.committer.mu.Unlock()
	}
	for _, w := range batch {
		switch {
		case err == nil:
		case outcomeKnown(err):
			w.reset(errAlone)
		default:
			w.reset(translate(w.doing, err))
		}
		close(w.ready)
	}
}

// outcomeKnown reports whether an error of a batch says that nothing of it was written, and that each write may succeed alone.
func outcomeKnown(err error) bool {
	_, refused := errors.AsType[*pgconn.PgError](err)
	return refused && (!cannotWork(err) || inTheWay(err)) || errors.Is(err, errUnwritten)
}

// commitAlone does a write in a batch of its own, at the caller's expense.
func (s *Store) commitAlone(ctx context.Context, w *write) error {
	err := s.retry(ctx, s.Limit, w.doing, func(ctx context.Context, conn *pgxpool.Conn) error {
		w.reset(nil)
		return s.commitBatch(ctx, conn, []*write{w})
	})
	if err == nil {
		err = w.err
	}
	return err
}
