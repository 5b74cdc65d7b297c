package payment

import (
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// TestTheWorkedTimelineIsTrue replays the table of docs/verification.md: a request that is lost, and a provider that denies
// the order until the proof is complete.
func TestTheWorkedTimelineIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/verification.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| (\\d+) s \\| (.*) \\| `([a-z]+)` \\| (\\d+) \\|$").FindAllStringSubmatch(string(text), -1)
	require.Len(t, rows, 10)

	const timeout = 30 * time.Second
	now := epoch
	o := newTestOrder()
	o.ID, o.Provider = uuid.UUID{}, "fake" // an order without an id has no jitter
	fake := &gatewaytest.Fake{FetchFunc: func(context.Context, gateway.Ref) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound}
	}}
	s := New(Config{
		Store: &pollStore{order: o}, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return now },
		ProviderTimeout: timeout, VisibilityDelay: time.Minute,
	})
	o.intend(s.policy(), now)
	for _, row := range rows {
		seconds, err := strconv.Atoi(row[1])
		require.NoError(t, err)
		at := epoch.Add(time.Duration(seconds) * time.Second)
		switch {
		case strings.HasPrefix(row[2], "poll: "):
			now = *o.NextPollAt
			require.WithinRange(t, now, at, at.Add(2*time.Second), row[0])
			_, err := s.Poll(context.Background(), o.Key())
			require.NoError(t, err)
		case strings.Contains(row[2], "times out"):
			require.False(t, o.NextPollAt.Before(at), "no poll before %s", row[0])
			now = at
			require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: StatusUnknown, AsOf: o.Sequence, At: now}))
			o.intend(s.policy(), now)
		}
		denials, err := strconv.Atoi(row[4])
		require.NoError(t, err)
		require.Equal(t, Status(row[3]), o.Status, row[0])
		require.Equal(t, denials, o.Denials, row[0])
	}
	require.Equal(t, gateway.FailureUnavailable, o.Failure.Category)
	require.Equal(t, gateway.AdviceRetryLater, o.Failure.Advice)
}

// TestThePageOfStatesIsTheTable compares docs/architecture.md with the table of legal steps.
func TestThePageOfStatesIsTheTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/architecture.md")
	require.NoError(t, err)
	_, states, _ := strings.Cut(string(text), "## The states of an order")
	states, _, _ = strings.Cut(states, "\n## ")
	written := [][2]Status{{"", StatusCreated}}
	name := regexp.MustCompile("`(\\w+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| (`.+`) \\| .+ \\| (.+) \\|$").FindAllStringSubmatch(states, -1) {
		for _, from := range name.FindAllStringSubmatch(row[1], -1) {
			for _, to := range name.FindAllStringSubmatch(row[2], -1) {
				written = append(written, [2]Status{Status(from[1]), Status(to[1])})
			}
			for _, s := range Statuses {
				if strings.HasSuffix(row[2], "or final") && s.Final() || strings.HasPrefix(row[2], "itself") && string(s) == from[1] {
					written = append(written, [2]Status{Status(from[1]), s})
				}
			}
		}
	}
	require.ElementsMatch(t, Steps(), written)
}
