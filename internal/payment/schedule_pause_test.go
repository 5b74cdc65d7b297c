package payment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pauseAfter is how long after an answer the next poll is due, for an order whose schedule is at its wide steps.
func pauseAfter(v Verification, since time.Duration, answer Answer) time.Duration {
	now := epoch.Add(since)
	v.PollsSince, v.PollsDone = epoch, len(DefaultSchedule)
	p := Policy{Schedule: DefaultSchedule, ProviderTimeout: 30 * time.Second}
	after, _ := v.OnPoll(p, Facts{Status: StatusUnknown, Sequence: 1, CreatedAt: epoch}, Poll{Answer: answer, Asked: now, Answered: now, VisibilityDelay: time.Minute, Due: true}, v)
	return after.NextPollAt.Sub(now)
}

// While nobody can be asked the pause is an eighth of the outage, from a second to two minutes. A refund that is not shown
// counts as asked for in vain for ten minutes, and as an answer from then on.
func TestThePauseWhileNobodyAnswers(t *testing.T) {
	t.Parallel()
	for since, want := range map[time.Duration]time.Duration{
		time.Second: time.Second, 8 * time.Second: time.Second, 16 * time.Second: 2 * time.Second, 8 * time.Minute: time.Minute,
		16 * time.Minute: 2 * time.Minute, 10 * time.Hour: 2 * time.Minute,
	} {
		require.Equal(t, want, pauseAfter(Verification{}, since, AnswerNone), since)
	}
	require.Equal(t, 75*time.Second, pauseAfter(Verification{}, 10*time.Minute, AnswerNotVisible))
	require.Equal(t, time.Hour, pauseAfter(Verification{}, 10*time.Minute+time.Microsecond, AnswerNotVisible))
	require.Equal(t, time.Hour, pauseAfter(Verification{}, time.Minute, AnswerUnlisted))
}

// One denial before the proof is complete, the next poll comes when it can complete it, whatever the answer between was.
func TestTheLastDenialIsAskedForWhenItCounts(t *testing.T) {
	t.Parallel()
	first := epoch.Add(2 * time.Minute)
	for denials, want := range map[int]time.Duration{0: time.Hour, 1: time.Hour, 2: 30 * time.Second, 3: 30 * time.Second} {
		v := Verification{Denials: denials, FirstDenialAt: &first}
		require.Equal(t, want, pauseAfter(v, 150*time.Second, AnswerUnlisted), denials)
	}
}

// A poll is the schedule's own from its time on until a tenth of it later. What is due later was leased under another one.
func TestALeaseIsToldFromTheSchedule(t *testing.T) {
	t.Parallel()
	const at = 10 * time.Second // the third of its times
	for next, want := range map[time.Duration]bool{at - 1: false, at: true, at + time.Second: true, at + time.Second + 1: false, 2 * at: false} {
		due := epoch.Add(next)
		v := Verification{NextPollAt: &due, PollsSince: epoch, PollsDone: 2}
		require.Equal(t, want, v.ahead(DefaultSchedule, epoch), next)
		require.False(t, v.ahead(DefaultSchedule, epoch.Add(at)), "its time has come")
		v.PollsDone = len(DefaultSchedule)
		require.False(t, v.ahead(DefaultSchedule, epoch), "beyond the last")
	}
	require.False(t, Verification{PollsSince: epoch}.ahead(DefaultSchedule, epoch), "none is planned")
}

// A verification that the provider does not settle is given up after a day of polls.
func TestAVerificationLastsADay(t *testing.T) {
	t.Parallel()
	require.Equal(t, 24*time.Hour, time.Duration(verificationPolls)*longestPause)
}
