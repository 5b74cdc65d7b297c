package faults

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// late are the violations that a machine alone can cause, by standing still: something was not done in its time.
var late = []Kind{NotAnswered, NotSettled, NotRecovered, NotificationGap, TooFew, TooQuiet}

// Ineffective reports whether the run broke no promise, and hurt so little that it proves none: most of its faults took no
// effect.
func (r Report) Ineffective() bool {
	return len(r.Result.Violations) == 1 && r.Result.Violations[0].Kind == TooQuiet
}

// stoodStill is the share of a run that the machine may have kept from it before its verdicts on time are worth nothing.
const stoodStill = 0.05

// Inconclusive reports whether the report has violations, all of them of time, and the machine kept so much of it from the run that
// they prove nothing. Any other violation is none of the machine's.
func (r Report) Inconclusive() bool {
	return len(r.Result.Violations) > 0 && r.Stolen > stoodStill &&
		!slices.ContainsFunc(r.Result.Violations, func(v Violation) bool { return !slices.Contains(late, v.Kind) })
}

// stolen is the share of the machine's time between two readings of its kernel's counts that went to other machines on the
// same hardware (proc(5), "steal"); 0 where the kernel does not say.
func stolen(before, after []int64) float64 {
	if len(before) <= steal || len(after) < len(before) {
		return 0
	}
	var all int64
	for i, n := range before[:steal+1] { // what follows is contained in the first ones
		all += after[i] - n
	}
	if all <= 0 {
		return 0
	}
	return float64(after[steal]-before[steal]) / float64(all)
}

// Rest waits until the machine lets a busy processor run, for at most limit.
func Rest(ctx context.Context, limit time.Duration) {
	for begin := time.Now(); time.Since(begin) < limit; {
		before := kernelTimes()
		for busy := time.Now(); time.Since(busy) < time.Second; { //nolint:revive // being busy is the point: time is stolen from those who need it
		}
		if stolen(before, kernelTimes()) < stoodStill || !wait(ctx, 10*time.Second) {
			return
		}
	}
}

// steal is the place of stolen time among the kernel's counts.
const steal = 7

// kernelTimes reads the kernel's counts of how all processors' time was spent.
func kernelTimes() (times []int64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for _, field := range strings.Fields(line)[1:] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return nil
		}
		times = append(times, n)
	}
	return times
}

// idled is for how long the harness itself was not let run.
func idled(list []Injection) (sum time.Duration) {
	for _, s := range list {
		if s.Idle {
			sum += s.To.Sub(s.From)
		}
	}
	return sum
}
