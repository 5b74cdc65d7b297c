package simulation

import "time"

// faults is what goes wrong in a scenario: probabilities for each call or callback, and instants.
type faults struct {
	requestLost, answerLost, answerLate, refused, notSent, duplicated, unclear                float64
	hidden, denied, pollFails                                                                 float64
	callbackLost, callbackLate, callbackRepeated, callbackVerify, callbackSum, callbackForged float64
	commandDeclined, retriedCommit                                                            float64
	// reverses: what failed succeeds after all, soon or late. chargesTwice: a payment is taken a second time.
	reverses, chargesTwice float64
	// declined: what begins is often declined, and soon.
	declined float64
	// forgets: once the provider has acknowledged an order it denies it for a long time.
	forgets float64

	outages []outage
	// closed are the accounts at which no order can be begun: their host refuses connections, or does not take our secrets.
	closed []string

	crashAt, crashes, pauseAt, pauses int
}

// noFaults is a provider that does what it should.
var noFaults faults

// outage is a time in which the provider cannot be reached.
type outage struct {
	from, to time.Duration
	// unresponsive: requests time out; else connections are refused.
	unresponsive bool
}

// drawFaults draws what goes wrong. A part of the scenarios is calm, so that faults are also seen alone.
func (w *world) drawFaults() faults {
	f := faults{retriedCommit: 0.02}
	if w.chance(0.15) {
		return f
	}
	often := [...]float64{0.03, 0.15, 0.5}
	some := func(share float64) float64 {
		if !w.chance(share) {
			return 0
		}
		return often[w.rng.IntN(len(often))]
	}
	f.requestLost, f.answerLost, f.answerLate = some(0.3), some(0.4), some(0.3)
	f.refused, f.notSent, f.duplicated, f.unclear = some(0.1), some(0.1), some(0.1), some(0.1)
	f.hidden, f.denied, f.pollFails = some(0.5), some(0.2), some(0.3)
	f.callbackLost, f.callbackLate, f.callbackRepeated = some(0.4), some(0.4), some(0.3)
	f.callbackVerify, f.callbackSum, f.callbackForged = some(0.2), some(0.15), some(0.05)
	f.commandDeclined, f.forgets = some(0.15), some(0.1)
	f.reverses, f.chargesTwice = some(0.08), some(0.05)
	if f.reverses > 0 && w.chance(0.5) {
		f.reverses, f.hidden, f.callbackVerify, f.callbackLate = 0.9, 0.5, 0.5, 0.2
	}
	if w.chance(0.15) {
		for range 1 + w.rng.IntN(2) {
			from := w.between(0, time.Hour)
			f.outages = append(f.outages, outage{from: from, to: from + w.between(time.Second, 2*time.Hour), unresponsive: w.chance(0.5)})
		}
	}
	if w.chance(0.2) {
		f.crashAt, f.crashes = 1+w.rng.IntN(20), 1+w.rng.IntN(3)
	}
	if w.chance(0.2) {
		f.pauseAt, f.pauses = 1+w.rng.IntN(20), 1+w.rng.IntN(4)
	}
	return f
}

// answersArrive reports whether each answer reaches us at once and is written down.
func (f *faults) answersArrive() bool {
	return f.answerLost == 0 && f.answerLate == 0 && f.requestLost == 0 && f.crashes == 0 && f.pauses == 0 && len(f.outages) == 0
}

// outage returns the outage that is going on at a time, or nil.
func (f *faults) outage(at time.Duration) *outage {
	for i := range f.outages {
		if o := &f.outages[i]; at >= o.from && at < o.to {
			return o
		}
	}
	return nil
}
