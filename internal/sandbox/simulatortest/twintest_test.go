package simulatortest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// echo is a simulator that says under which path it was asked.
type echo struct{ ended chan struct{} }

func (echo) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
}

func (e echo) Run(ctx context.Context) error {
	<-ctx.Done()
	close(e.ended)
	return nil
}

func TestASimulatorRunsUntilItsTestEnds(t *testing.T) {
	t.Parallel()
	e := echo{make(chan struct{})}
	t.Run("test", func(t *testing.T) {
		resp, err := http.Get(Serve(t, "/simulator", e) + "/x")
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		raw, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "/simulator/x", string(raw))
		select {
		case <-e.ended:
			require.Fail(t, "ended too soon")
		default:
		}
	})
	<-e.ended
}

func TestAReceiverKeepsAndAnswers(t *testing.T) {
	t.Parallel()
	r := NewReceiver(t)
	post := func(body string) int {
		t.Helper()
		resp, err := http.Post(r.URL, "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, 200, post("a"))
	r.Answer(func(n int) int { return 500 + n })
	require.Equal(t, 502, post("b"))
	require.Equal(t, []string{"a", "b"}, r.Got())
}

func TestALogCanBeRead(t *testing.T) {
	t.Parallel()
	var l Log
	_, err := fmt.Fprint(&l, "one", "two")
	require.NoError(t, err)
	require.Equal(t, "onetwo", l.String())
}
