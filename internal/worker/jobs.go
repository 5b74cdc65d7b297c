package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/rs/zerolog"
)

const (
	startEvery = time.Second
	// Jobs that wait for longer than idleFor while this process works on none mean that its queue is dead.
	watchEvery = 5 * time.Second
	idleFor    = 10 * time.Second
	// cancelTimeout is how long jobs that were cancelled have to end.
	cancelTimeout = 5 * time.Second
)

// riverClient is what is used of River's client.
type riverClient interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
	JobList(ctx context.Context, params *river.JobListParams) (*river.JobListResult, error)
}

// jobs keeps River's client working.
type jobs struct {
	client riverClient
	log    zerolog.Logger

	watchEvery, idleFor      time.Duration
	stopWithin, cancelWithin time.Duration

	busy atomic.Int64 // jobs that this process works on
	last atomic.Int64 // when one began last, in nanoseconds since 1970
}

func newJobs(log zerolog.Logger) *jobs {
	return &jobs{log: log, watchEvery: watchEvery, idleFor: idleFor, stopWithin: jobTimeout, cancelWithin: cancelTimeout}
}

// working counts a job until it is called off.
func (j *jobs) working() (done func()) {
	j.busy.Add(1)
	j.last.Store(time.Now().UnixNano())
	return func() { j.busy.Add(-1) }
}

// run works on jobs until ctx is done, then finishes those under way.
func (j *jobs) run(ctx context.Context) error {
	for j.start(ctx) {
		j.watch(ctx)
		err := j.stop(ctx)
		if ctx.Err() != nil {
			return err
		}
		if err != nil { // a start does nothing until the client has stopped after all, and watch comes back for it
			j.log.Error().Err(err).Msg("the workers do not stop; trying to start them again")
		}
	}
	return nil
}

// start starts the client, and waits for a database that is away just now. It reports false if ctx is done before.
func (j *jobs) start(ctx context.Context) bool {
	pause := time.NewTicker(startEvery)
	defer pause.Stop()
	for failing := false; ; failing = true {
		// River gets a context of its own: it is stopped softly, not by cancelling its jobs.
		err := j.client.Start(context.WithoutCancel(ctx))
		if err == nil {
			j.last.Store(time.Now().UnixNano())
			return true
		}
		if !failing {
			j.log.Error().Err(err).Msg("the workers cannot be started; trying on")
		}
		select {
		case <-ctx.Done():
			return false
		case <-pause.C:
		}
	}
}

// watch returns when ctx is done, or when the client must be started again: a connection that is closed while it starts
// is an expected end to River, which says that it has started and then never takes a job.
func (j *jobs) watch(ctx context.Context) {
	ticker := time.NewTicker(j.watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if j.busy.Load() > 0 || time.Since(time.Unix(0, j.last.Load())) < j.idleFor {
			continue
		}
		waiting, err := j.client.JobList(ctx, river.NewJobListParams().First(1).Queues(queueNotify).
			States(rivertype.JobStateAvailable).OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc))
		if err != nil || len(waiting.Jobs) == 0 || time.Since(waiting.Jobs[0].ScheduledAt) < j.idleFor {
			continue
		}
		j.log.Error().Int64("job", waiting.Jobs[0].ID).Time("due", waiting.Jobs[0].ScheduledAt).Msg("jobs wait and none is worked on; starting the workers again")
		return
	}
}

// stop finishes the jobs under way, and cancels them if that takes too long. What does not end then either is left alone.
func (j *jobs) stop(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	bounded, cancel := context.WithTimeout(ctx, j.stopWithin)
	defer cancel()
	err := j.client.Stop(bounded)
	if err == nil {
		return nil
	}
	last, cancelLast := context.WithTimeout(ctx, j.cancelWithin)
	defer cancelLast()
	return errors.Join(fmt.Errorf("stop the workers: %w", err), j.client.StopAndCancel(last))
}
