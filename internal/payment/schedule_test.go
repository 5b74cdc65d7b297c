package payment

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pollsOf lists how long after the beginning an order of a status is polled, if nothing changes. An order without an id has
// no jitter.
func pollsOf(s Schedule, status Status, count int) (all []time.Duration) {
	f := Facts{Status: status, Sequence: 1}
	v := Verification{}.OnStep(f, epoch)
	for now := epoch; len(all) < count; v.PollsDone++ {
		v = v.OnObservation(Policy{Schedule: s}, f, Apply, now)
		now = *v.NextPollAt
		all = append(all, now.Sub(epoch))
	}
	return all
}

// TestTheTimesAreThoseOfTheDocument compares the schedule with docs/verification.md.
func TestTheTimesAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/verification.md")
	require.NoError(t, err)
	for row, status := range map[string]Status{
		"| `created`, `unknown`, `processing` | ": StatusUnknown,
		"| `requires_action`, `authorized` | ":    StatusRequiresAction,
	} {
		_, rest, found := strings.Cut(string(text), row)
		require.True(t, found, row)
		line, _, _ := strings.Cut(rest, ", then hourly")
		var want []time.Duration
		for at := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(line, " ", ""), "min", "m"), ",") {
			want = append(want, duration(t, at))
		}
		last := want[len(want)-1]
		want = append(want, last+time.Hour, last+2*time.Hour, last+3*time.Hour)
		require.Equal(t, want, pollsOf(DefaultSchedule, status, len(want)))
	}
	require.Contains(t, string(text), "for 30 days, with pauses of half the time since, a day at most")
	transfer := func(since time.Duration) time.Duration {
		f := Facts{Status: StatusSucceeded, ReversibleSince: new(epoch)}
		now := epoch.Add(since)
		v := Verification{}.OnObservation(Policy{Schedule: DefaultSchedule}, f, Apply, now)
		if v.NextPollAt == nil {
			return 0
		}
		return v.NextPollAt.Sub(now)
	}
	const day = 24 * time.Hour
	for since, want := range map[time.Duration]time.Duration{
		0: 10 * time.Second, 20 * time.Second: 10 * time.Second, 40 * time.Second: 20 * time.Second, time.Hour: 30 * time.Minute,
		day: day / 2, 2 * day: day, 20 * day: day, 30*day - time.Microsecond: day, 30 * day: 0, 60 * day: 0,
	} {
		require.Equal(t, want, transfer(since), since)
	}
}

// A schedule of few times is as good as another: the last is repeated.
func TestAShortSchedule(t *testing.T) {
	t.Parallel()
	require.Equal(t, []time.Duration{time.Second, 3 * time.Second, 5 * time.Second}, pollsOf(Schedule{time.Second, 3 * time.Second}, StatusUnknown, 3))
	for _, s := range []Schedule{{time.Second}, {time.Second, time.Second}} {
		v := Verification{}.OnObservation(Policy{Schedule: s}, Facts{Status: StatusSucceeded, ReversibleSince: new(epoch)}, Apply, epoch)
		require.Equal(t, epoch.Add(time.Second), *v.NextPollAt)
	}
}

// A callback stays pending until an answer shows the order, and was asked for late enough to know.
func TestAPendingCallbackWaitsForAnAnswerThatShowsTheOrder(t *testing.T) {
	t.Parallel()
	f := Facts{Status: StatusProcessing, Sequence: 1}
	for answer, shows := range map[Answer]bool{
		AnswerShown: true, AnswerEnded: true, AnswerUnlisted: false, AnswerDenied: false, AnswerNotVisible: false, AnswerNone: false,
	} {
		for after, late := range map[time.Duration]bool{0: false, time.Minute - 1: false, time.Minute: true, time.Hour: true} {
			v := Verification{}.OnStep(f, epoch).OnPending(f, "", epoch)
			require.NotNil(t, v.PendingSince)
			asked := epoch.Add(after)
			v, gaveUp := v.OnPoll(Policy{Schedule: DefaultSchedule}, f, Poll{Answer: answer, Asked: asked, Answered: asked, VisibilityDelay: time.Minute, Due: true}, v)
			require.False(t, gaveUp)
			require.Equal(t, shows && late, v.PendingSince == nil, "%s after %s", answer, after)
		}
	}
}
