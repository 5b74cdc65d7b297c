package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/worker"
)

// partitionsEvery is how often the partitions of coming months are looked for. They are made two months ahead, so that many
// failures do no harm.
const partitionsEvery = 6 * time.Hour

// configurationEvery is how often shops, keys and accounts are compared with the audit log although nobody counted a change of them.
const configurationEvery = 5 * time.Minute

// surplusEvery is how often late money is looked for that a shop wants to go back at once.
const surplusEvery = 5 * time.Second

// tasks are what the service does regularly.
func (a *app) tasks(reg prometheus.Registerer) []worker.Task {
	tasks := []worker.Task{
		{Name: "make partitions", Every: partitionsEvery, Run: a.makePartitions},
		{Name: "check the configuration", Every: configurationEvery, Run: a.checkConfiguration},
		{Name: "refund surplus money", Every: surplusEvery, Run: a.refundSurplus},
		{Name: "finish refunds of disputes", Every: time.Minute, Run: func(ctx context.Context) error { return a.service.FinishRefunds(ctx) }},
	}
	if a.config.RetentionOn {
		tasks = append(tasks, worker.Task{Name: "remove what is old", Every: retentionEvery, Run: newRetainer(a.store, a.config.Retention, reg).run})
	}
	return tasks
}

// refundSurplus begins the refunds of late money. Without a shop that wants them it asks the database nothing.
func (a *app) refundSurplus(ctx context.Context) error {
	shops, err := a.store.ShopsRefundingSurplus(ctx)
	for _, id := range shops {
		err = errors.Join(err, a.service.RefundSurplus(ctx, id))
	}
	return err
}

func (a *app) checkConfiguration(ctx context.Context) error {
	_, err := a.store.CheckConfiguration(ctx) // what it finds is logged and counted
	return err
}

func (a *app) makePartitions(ctx context.Context) error {
	made, err := a.store.MakePartitions(ctx)
	if len(made) > 0 {
		a.log.Info().Strs("partitions", made).Msg("partitions made")
	}
	return err
}
