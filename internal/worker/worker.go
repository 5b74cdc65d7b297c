package worker

import (
	"context"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/payment"
)

// Service is what the workers do with orders and transaction reports.
type Service interface {
	Poller
	TransactionReports
	Mandates
}

// Leaser finds what is due.
type Leaser interface {
	PollLeaser
	TransactionReportLeaser
	MandateLeaser
	DueDeliveries
}

// Config is what the workers need. MaxWorkers is how many status polls of each provider and how many deliveries run at once; 50. A poll
// that takes longer than a second is not counted. Of steps of transaction reports there are a few.
type Config struct {
	Log        zerolog.Logger
	MaxWorkers int
	// Providers are those whose orders are polled.
	Providers []string
	// PollFailed hears of status polls that could not be made or written down: the order is leased again, and again, and is never
	// late. May be nil.
	PollFailed func(provider string)
	// Deliveries are notifications that were just committed. May be nil: then the sweep finds all.
	Deliveries *Queue
	// MandatesDue asks for what is due about mandates before the next sweep. May be nil.
	MandatesDue <-chan struct{}
	// Tasks are done beside, now and regularly.
	Tasks []Task
}

// Workers does what is due until it is stopped.
type Workers struct {
	polls              []*leases[payment.Key]
	deliveries         *leases[task]
	transactionReports *leases[payment.DueTransactionReport]
	mandates           *leases[payment.Key]
	tasks              []Task
	log                zerolog.Logger
}

// New returns workers; Run starts them.
func New(c Config, service Service, notifier Notifier, leaser Leaser) *Workers {
	if c.MaxWorkers <= 0 {
		c.MaxWorkers = 50
	}
	w := &Workers{
		deliveries: newDeliveries(c, notifier, leaser), transactionReports: newTransactionReports(c, service, leaser),
		mandates: newMandates(c, service, leaser), tasks: c.Tasks, log: c.Log,
	}
	for _, provider := range c.Providers {
		w.polls = append(w.polls, newPolls(provider, c, service, leaser))
	}
	return w
}

// Run works until ctx is done, then finishes what is under way.
func (w *Workers) Run(ctx context.Context) error {
	var all errgroup.Group
	for _, k := range w.polls {
		all.Go(func() error { k.run(ctx); return nil })
	}
	all.Go(func() error { w.deliveries.run(ctx); return nil })
	all.Go(func() error { w.transactionReports.run(ctx); return nil })
	all.Go(func() error { w.mandates.run(ctx); return nil })
	for _, task := range w.tasks {
		all.Go(func() error { task.run(ctx, w.log); return nil })
	}
	return all.Wait()
}
