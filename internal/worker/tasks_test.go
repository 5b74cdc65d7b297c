package worker

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
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

// A task that found the database away or busy is a warning; any other failure is an error.
func TestATasksFailureIsLogged(t *testing.T) {
	t.Parallel()
	for level, err := range map[string]error{"warn": &payment.Error{Code: payment.CodeUnavailable}, "error": errors.New("broken")} {
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		task := Task{Name: "try", Every: time.Millisecond, Run: func(ctx context.Context) error {
			if log.Len() > 0 {
				cancel()
			}
			return err
		}}
		task.run(ctx, zerolog.New(&log))
		require.Contains(t, log.String(), `"level":"`+level+`"`)
		require.Contains(t, log.String(), `"task":"try"`)
	}
}
