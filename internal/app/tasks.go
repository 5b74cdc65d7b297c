package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/worker"
)

// partitionsEvery is how often the partitions of coming months are looked for. They are made two months ahead, so that many
// failures do no harm.
const partitionsEvery = 6 * time.Hour

// tasks are what the service does regularly.
func (a *app) tasks(reg prometheus.Registerer) []worker.Task {
	tasks := []worker.Task{{Name: "make partitions", Every: partitionsEvery, Run: a.makePartitions}}
	if a.config.RetentionOn {
		tasks = append(tasks, worker.Task{Name: "remove what is old", Every: retentionEvery, Run: newRetainer(a.store, a.config.Retention, reg).run})
	}
	return tasks
}

func (a *app) makePartitions(ctx context.Context) error {
	made, err := a.store.MakePartitions(ctx)
	if len(made) > 0 {
		a.log.Info().Strs("partitions", made).Msg("partitions made")
	}
	return err
}
