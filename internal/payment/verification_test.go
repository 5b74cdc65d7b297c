package payment

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The worked examples below are read like a log: at this time after the order was made this happens, and then the next status
// poll is due at that time ("-" for none). "proven" is the row by which denials are believed, "gave up" the one by which an
// operator is called. A call may be under way for 30 s, the provider's answers may be 60 s old, and there is no jitter.
const (
	exampleTimeout = 30 * time.Second
	exampleDelay   = 60 * time.Second
)

type example struct {
	at, event, next string
	note            string
}

var examples = map[string][]example{
	"a payout that never arrived": {
		{at: "0s", event: "step to unknown", next: "1s"},
		{at: "1s", event: "poll: denied", next: "3s"},
		{at: "3s", event: "poll: denied", next: "10s"},
		{at: "10s", event: "poll: denied", next: "30s"},             // three in a row, but too early: the call may be under way
		{at: "30s", event: "poll: denied", next: "1m30s"},           // and not at 2m: then it can be told
		{at: "1m29.999s", event: "poll: denied", next: "1m30.999s"}, // a second after one more
		{at: "1m30s", event: "poll: denied", note: "proven"},        // 30 s + 60 s after it was made
	},
	"denied for the first time when it is late already": {
		{at: "0s", event: "step to unknown", next: "1s"},
		{at: "2m0s", event: "5 polls: none", next: "2m15s"},
		{at: "5m0s", event: "poll: denied", next: "6m0s"}, // and not at 1h: the delay after the first denial
		{at: "6m0s", event: "poll: denied", next: "6m1s"}, // three in a row are needed
		{at: "6m1s", event: "poll: denied", note: "proven"},
	},
	"not having been able to ask breaks no row, being shown does": {
		{at: "0s", event: "step to unknown", next: "1s"},
		{at: "2m0s", event: "5 polls: none", next: "2m15s"},
		{at: "5m0s", event: "poll: denied", next: "6m0s"},
		{at: "5m4s", event: "poll: none", next: "5m42s"}, // an eighth of the outage later
		{at: "6m0s", event: "poll: denied", next: "6m1s"},
		{at: "6m1s", event: "poll: shown", next: "1h6m1s"},
		{at: "7m0s", event: "poll: denied", next: "1h7m0s"}, // worth nothing from now on: the provider has shown it
		{at: "8m0s", event: "9 polls: denied", next: "1h8m0s"},
	},
	"a question that was asked before the call says nothing of it": {
		{at: "0s", event: "step to authorized", next: "10s"},
		{at: "1m0s", event: "capture", next: "1m1s"},
		{at: "3m0s", event: "5 polls: none", next: "3m15s"},
		{at: "10m0s", event: "poll asked at 59s: denied", next: "1h1m0s"},
		{at: "10m1s", event: "poll: denied", next: "11m1s"},
		{at: "11m0s", event: "poll: denied", next: "11m1s"},
		{at: "11m1s", event: "poll asked at 11m0s: denied", next: "11m2s"}, // three, but asked for 59 s after the first
		{at: "11m2s", event: "poll: denied", note: "proven"},
	},
	"a capture that the provider has answered": {
		{at: "0s", event: "step to authorized", next: "10s"},
		{at: "1m0s", event: "capture", next: "1m1s"},
		{at: "1m0.5s", event: "answer", next: "1m1s", note: "accepted"},
		{at: "1m1s", event: "9 polls: denied", next: "1h1m1s"}, // it arrived: that the money is still held denies nothing
	},
	"a provider that is away": {
		{at: "0s", event: "step to unknown", next: "1s"},
		{at: "1s", event: "poll: none", next: "2s"},
		{at: "2s", event: "poll: none", next: "3s"},
		{at: "3s", event: "poll: none", next: "4s"},
		{at: "40s", event: "poll: none", next: "45s"},
		{at: "2h0m0s", event: "4 polls: none", next: "2h2m0s"}, // at most two minutes
	},
	"an order that waits for its customer": {
		{at: "0s", event: "step to requires_action", next: "10s"},
		{at: "10s", event: "poll: shown", next: "30s"},
		{at: "20s", event: "refresh: shown", next: "30s"}, // a poll in between uses up none of the schedule
		{at: "30s", event: "poll: shown", next: "2m0s"},
		{at: "2m0s", event: "poll: shown", next: "10m0s"},
		{at: "10m0s", event: "poll: shown", next: "1h0m0s"},
		{at: "1h0m0s", event: "poll: shown", next: "2h0m0s"},
		{at: "2h0m0s", event: "poll: shown", next: "3h0m0s"}, // hourly from then on
		{at: "2h30m0s", event: "callback", next: "2h30m0s"},  // it cannot be believed by itself: the schedule begins anew
		{at: "2h30m0s", event: "poll: shown", next: "2h30m3s"},
	},
	"a poll that was leased before the schedule began anew": {
		{at: "0s", event: "step to unknown", next: "1s"},
		{at: "1.1s", event: "step to processing", next: "2.1s"},
		{at: "1.2s", event: "poll of 0s: shown", next: "2.1s"}, // uses up none of the new one
	},
	"a callback that names another end than the one that comes": {
		{at: "0s", event: "step to processing", next: "1s"},
		{at: "10m0s", event: "callback: failed", next: "10m0s"},
		{at: "10m0s", event: "poll: shown", next: "10m1s"},
		{at: "10m1s", event: "step to succeeded", next: "10m1s"}, // pending since 10m
		{at: "10m1s", event: "poll: ended", next: "10m3s"},       // too early to know what the callback is about
		{at: "10m3s", event: "poll: ended", next: "10m10s"},
		{at: "10m10s", event: "poll: ended", next: "10m30s"},
		{at: "10m30s", event: "poll: ended", next: "11m0s"},
		{at: "11m0s", event: "poll: ended", next: "-"}, // asked for 60 s after the callback, and it confirms the end
	},
	"a callback that names the end that comes": {
		{at: "0s", event: "step to processing", next: "1s"},
		{at: "10m0s", event: "callback: succeeded", next: "10m0s"},
		{at: "10m1s", event: "step to succeeded", next: "-"},
	},
	"an operator's end settles a callback": {
		{at: "0s", event: "step to processing", next: "1s"},
		{at: "10m0s", event: "callback: failed", next: "10m0s"},
		{at: "10m1s", event: "decision: succeeded", next: "-"},
	},
	"a poll that is late enough settles a callback before the end": {
		{at: "0s", event: "step to processing", next: "1s"},
		{at: "1h0m0s", event: "callback: failed", next: "1h0m0s"},
		{at: "1h1m0s", event: "poll: shown", next: "1h1m1s"},
		{at: "1h1m1s", event: "step to succeeded", next: "-"},
	},
	"a callback about an order that has ended": {
		{at: "0s", event: "step to succeeded", next: "-"},
		{at: "1h0m0s", event: "callback", next: "1h0m0s"},
		{at: "1h0m0s", event: "poll: unlisted", next: "1h0m3s"},
		{at: "1h1m0s", event: "poll: none", next: "1h2m0s"},  // times that are past by now are left out
		{at: "1h3m0s", event: "poll: shown", next: "1h5m0s"}, // names no end
		{at: "1h5m0s", event: "poll: ended", next: "-"},
	},
	"a callback about an order that has ended, and a poll that takes long": {
		{at: "0s", event: "step to failed", next: "-"},
		{at: "1h0m0s", event: "callback: succeeded", next: "1h0m0s"},
		{at: "1h0m4s", event: "poll asked at 1h0m0s: none", next: "1h0m10s"},
	},
	"a callback that nobody can settle": {
		{at: "0s", event: "step to failed", next: "-"},
		{at: "1h0m0s", event: "callback", next: "1h0m0s"},
		{at: "25h0m0s", event: "721 polls: denied", next: "-", note: "gave up"},
	},
	"an imported transfer whose money may come back": {
		{at: "0s", event: "transfer succeeded", next: "10s"},
		{at: "10s", event: "poll: ended", next: "20s"},
		{at: "1h0m0s", event: "poll: ended", next: "1h30m0s"}, // half the time since the success
		{at: "240h0m0s", event: "poll: ended", next: "264h0m0s"},
		{at: "720h0m0s", event: "poll: ended", next: "-"}, // thirty days
	},
}

func TestVerification(t *testing.T) {
	t.Parallel()
	for name, rows := range examples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := followed{p: Policy{DefaultSchedule, exampleTimeout}, f: Facts{Sequence: 1, Status: StatusCreated, CreatedAt: epoch}}
			for _, row := range rows {
				o.note = ""
				o.happens(t, row.at, row.event)
				require.Equal(t, row.note, o.note, "%s: %s", row.at, row.event)
				if row.next != "" {
					require.Equal(t, row.next, o.next(), "%s: %s", row.at, row.event)
				}
			}
		})
	}
}

// followed is an order of the examples.
type followed struct {
	p    Policy
	f    Facts
	v    Verification
	note string
}

func (o *followed) next() string {
	if o.v.NextPollAt == nil {
		return "-"
	}
	return o.v.NextPollAt.Sub(epoch).String()
}

// happens lets an event happen.
func (o *followed) happens(t *testing.T, after, event string) {
	t.Helper()
	now := epoch.Add(duration(t, after))
	what, rest, _ := strings.Cut(event, ": ")
	switch word, status, _ := strings.Cut(event, " to "); {
	case word == "step":
		o.steps(Status(status), now)
	case what == "decision":
		o.f.Decided = true
		o.steps(Status(rest), now)
	case event == "transfer succeeded":
		o.f.ReversibleSince = &now
		o.steps(StatusSucceeded, now)
	case event == "capture":
		o.f.Modification = true
		o.v = o.v.OnCommand(now)
		o.steps(StatusProcessing, now)
	case event == "answer":
		o.v = o.v.OnAnswer(o.f)
		if o.v.CommandAccepted {
			o.note = "accepted"
		}
	case what == "callback":
		if rest != "" {
			o.v = o.v.OnPending(o.f, Status(rest), now)
		}
		o.v = o.v.OnCallback(o.f, now)
	case strings.HasSuffix(what, " polls"):
		n, err := strconv.Atoi(strings.TrimSuffix(what, " polls"))
		require.NoError(t, err)
		for range n {
			require.Empty(t, o.note)
			o.polled(t, now, "poll", Answer(rest))
		}
	default:
		o.polled(t, now, what, Answer(rest))
	}
}

func (o *followed) steps(to Status, now time.Time) {
	o.f.Status = to
	o.f.Sequence++
	o.v = o.v.OnStep(o.f, now)
	o.v = o.v.OnObservation(o.p, o.f, Apply, now)
}

// polled records the answer to a "poll", a "refresh", a "poll asked at 2s", or a "poll of 2s", which is one of an earlier schedule.
func (o *followed) polled(t *testing.T, now time.Time, how string, answer Answer) {
	t.Helper()
	q := Poll{Asked: now, Answered: now, VisibilityDelay: exampleDelay, Answer: answer, Due: how != "refresh"}
	if _, at, ok := strings.Cut(how, " asked at "); ok {
		q.Asked = epoch.Add(duration(t, at))
	}
	if _, since, ok := strings.Cut(how, " of "); ok {
		q.Due = o.v.PollsSince.Equal(epoch.Add(duration(t, since)))
	}
	before, proven := o.v, false
	o.v.PollsDone++
	switch answer {
	case AnswerDenied:
		if !o.f.Status.Final() {
			o.v, proven = o.v.OnDenial(o.p, o.f, q)
		}
	case AnswerShown, AnswerEnded, AnswerUnlisted:
		o.v = o.v.OnShown(o.f)
	case AnswerNone, AnswerNotVisible:
	}
	var gaveUp bool
	o.v, gaveUp = o.v.OnPoll(o.p, o.f, q, before)
	switch {
	case proven:
		o.note = "proven"
	case gaveUp:
		o.note = "gave up"
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}

// A call is under way until a provider's time is over: of a new order from its beginning, of a command from its own.
func TestACallIsUnderWay(t *testing.T) {
	t.Parallel()
	p := Policy{ProviderTimeout: 30 * time.Second}
	v := Verification{PollsSince: epoch}
	for after, running := range map[time.Duration]bool{0: true, 30*time.Second - 1: true, 30 * time.Second: false, time.Hour: false} {
		now := epoch.Add(after)
		require.Equal(t, running, v.inFlight(p, Facts{Status: StatusCreated}, now), after)
		require.Equal(t, running, v.inFlight(p, Facts{Status: StatusProcessing, Modification: true}, now), after)
		require.False(t, v.inFlight(p, Facts{Status: StatusProcessing}, now), after)
	}
}
