package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A machine that stood still excuses what came too late, and nothing else.
func TestOnlyLatenessIsTheMachines(t *testing.T) {
	t.Parallel()
	of := func(share float64, kinds ...Kind) Report {
		r := Report{Stolen: share}
		for _, k := range kinds {
			r.Result.add(k, "o", "…")
		}
		return r
	}
	require.True(t, of(0.2, NotAnswered, NotSettled).Inconclusive())
	require.True(t, of(0, TooQuiet).Ineffective())
	require.False(t, of(0, TooQuiet, Lost).Ineffective(), "a quiet run's violation is one")
	require.False(t, of(0).Ineffective())
	require.False(t, of(0.01, NotAnswered).Inconclusive(), "the machine ran")
	require.False(t, of(0.2).Inconclusive(), "a run that is good is good")
	for _, k := range []Kind{Lost, DoubleEffect, FalseFailed, FalsePaid, AmountMismatch, SentTwice, NotIdempotent, AnswerWrong, MissedConflict, FalseConflict, Died} {
		require.False(t, of(0.2, NotAnswered, k).Inconclusive(), k)
	}
}

func TestStolenTimeIsAShareOfAll(t *testing.T) {
	t.Parallel()
	before := []int64{100, 0, 50, 800, 0, 0, 10, 40, 7, 0}
	after := []int64{140, 0, 60, 820, 0, 0, 10, 70, 9, 0}
	require.InDelta(t, 0.3, stolen(before, after), 1e-9, "30 of 100; guests' time is within the users'")
	require.Zero(t, stolen(nil, nil))
	require.Zero(t, stolen(before, before))
	require.Zero(t, stolen([]int64{1, 2, 3}, []int64{2, 3, 4}), "an old kernel does not tell")
	now := time.Now()
	require.Equal(t, 2*time.Second, idled([]Injection{{Idle: true, From: now, To: now.Add(2 * time.Second)}, {From: now, To: now.Add(time.Hour)}}))
}
