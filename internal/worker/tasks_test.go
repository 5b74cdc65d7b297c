package worker

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

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
