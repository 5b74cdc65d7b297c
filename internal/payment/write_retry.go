package payment

import (
	"context"
	"errors"
	"time"

	"payrelay/internal/gateway"
)

// retryWritesFor is for how long something that only this process knows is written down again while the database cannot be
// reached: what a provider answered, and that an order may have been stored. A database that is restarted or fails over is
// back sooner.
const retryWritesFor = 20 * time.Second

// create writes a new order down. When the database's answer is lost, the order may be stored although nothing was sent,
// and nobody else could tell: for a refund no status poll proves it. So the same order is written again until the database
// answers; it is ours, and still to be sent, if it carries our id. One that a client gave up before it was written is not.
func (s *Service) create(ctx context.Context, o *Order) (*Order, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	ctx = context.WithoutCancel(ctx)
	var stored *Order
	created := false
	err := retry(func() (err error) {
		switch {
		case o.Kind == gateway.KindRefund:
			stored, created, err = s.Store.CreateRefund(ctx, o, o.mayBegin)
		case o.charges():
			stored, created, err = s.Store.CreateCharge(ctx, o, func(m *Mandate) error {
				if err := m.stillDue(o, s.Now()); err != nil {
					return err
				}
				return m.allows(o.Amount.Minor(), s.Now())
			})
		default:
			stored, created, err = s.Store.CreateOrder(ctx, o)
		}
		return err
	}, func(err error) bool { return errors.Is(err, ErrNothingSent) })
	if err != nil {
		return nil, false, err
	}
	return stored, created || stored.ID == o.ID, nil
}

// retryWrite is UpdateOrder for what a provider answered. recorded says that it had been written down before, by a try whose own
// answer was lost.
func (s *Service) retryWrite(ctx context.Context, key Key, fn func(*Order) error) (o *Order, recorded bool, err error) {
	err = retry(func() (err error) {
		o, err = s.Store.UpdateOrder(ctx, key, fn)
		return err
	}, nil)
	if errors.Is(err, ErrRecorded) {
		err = retry(func() (err error) {
			o, err = s.Store.Order(ctx, key)
			return err
		}, nil)
		return o, true, err
	}
	return o, false, err
}

// retry does something once more, after pauses, while the database cannot be reached. enough, if there is one, ends it: at
// the first try, before anything may have been done.
func retry(do func() error, enough func(error) bool) error {
	err := do()
	if CodeOf(err) != CodeUnavailable || enough != nil && enough(err) {
		return err
	}
	until := time.Now().Add(retryWritesFor)
	for pause := 20 * time.Millisecond; CodeOf(err) == CodeUnavailable && time.Now().Before(until); pause = min(2*pause, time.Second) {
		timer := time.NewTimer(pause)
		<-timer.C
		err = do()
	}
	return err
}
