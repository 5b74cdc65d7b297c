package worker

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/payment"
)

// Task is something that the service does at its start and then regularly.
type Task struct {
	Name  string // in the log, as in "make partitions"
	Every time.Duration
	Run   func(ctx context.Context) error
}

// run does the task until ctx is done. A failure is logged, and the task is tried on as planned.
func (t Task) run(ctx context.Context, log zerolog.Logger) {
	ticker := time.NewTicker(t.Every)
	defer ticker.Stop()
	for {
		if err := t.Run(ctx); err != nil && ctx.Err() == nil {
			level := zerolog.ErrorLevel
			if payment.CodeOf(err) == payment.CodeUnavailable { // the database is away or busy, which has alerts of its own
				level = zerolog.WarnLevel
			}
			log.WithLevel(level).Err(err).Str("task", t.Name).Dur("next_in_ms", t.Every).Msg("a regular task failed; it is tried on")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
