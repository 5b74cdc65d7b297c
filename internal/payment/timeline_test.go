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

// TestTheDiagramOfStatesIsTheTable compares docs/architecture.md with the table of legal steps. An arrow from "open" leads
// from every status within.
func TestTheDiagramOfStatesIsTheTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/architecture.md")
	require.NoError(t, err)
	_, diagram, _ := strings.Cut(string(text), "stateDiagram-v2\n")
	diagram, _, _ = strings.Cut(diagram, "```")
	var drawn [][2]Status
	for _, arrow := range regexp.MustCompile(`(?m)^ +(\S+) --> (\w+)`).FindAllStringSubmatch(diagram, -1) {
		from, to := Status(arrow[1]), Status(arrow[2])
		switch from {
		case "[*]":
			drawn = append(drawn, [2]Status{"", to})
		case "open":
			for _, s := range Statuses {
				if !s.Final() {
					drawn = append(drawn, [2]Status{s, to})
				}
			}
		default:
			drawn = append(drawn, [2]Status{from, to})
		}
	}
	require.ElementsMatch(t, Steps(), drawn)
}
