package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

func TestTaskIsDoneAtOnceAndThenRegularly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		ctx, cancel := context.WithCancel(t.Context())
		started := time.Now()
		var at []time.Duration
		Task{Name: "sweep the floor", Every: time.Hour, Run: func(context.Context) error {
			at = append(at, time.Since(started))
			switch len(at) {
			case 1:
				return errors.New("no broom")
			case 3:
				cancel()
				return ctx.Err()
			}
			return nil
		}}.run(ctx, zerolog.New(log))
		require.Equal(t, []time.Duration{0, time.Hour, 2 * time.Hour}, at)
		require.Equal(t, 1, log.count("sweep the floor"), "leaving is no error")
	})
}
