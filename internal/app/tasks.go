package app

import (
	"context"
	"time"

	"payrelay/internal/worker"
)

// partitionsEvery is how often the partitions of coming months are looked for. They are made two months ahead, so that many
// failures do no harm.
const partitionsEvery = 6 * time.Hour

// tasks are what the service does regularly.
func (a *app) tasks() []worker.Task {
	return []worker.Task{
		{Name: "make partitions", Every: partitionsEvery, Run: a.makePartitions},
	}
}

func (a *app) makePartitions(ctx context.Context) error {
	made, err := a.store.MakePartitions(ctx)
	if len(made) > 0 {
		a.log.Info().Strs("partitions", made).Msg("partitions made")
	}
	return err
}
