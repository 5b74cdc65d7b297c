package payment

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// RefundFacts is what tells the refunds of one payment apart, for a callback that names the payment alone.
type RefundFacts struct {
	ID                uuid.UUID
	Minor             int64
	Status            Status
	FinalizedAt       *time.Time
	ProviderReference string
	FailureCode       string
	// CarriedOut says that it failed here, and that the provider carried it out after all, which is on record.
	CarriedOut bool
	// BankReferences are as in Order.
	BankReferences map[string]Status
	// Judged are the callbacks about the refund so far.
	Judged []JudgedCallback
}

// JudgedCallback is what a callback said, and the verdict on it.
type JudgedCallback struct {
	Reported string
	Verdict  Verdict
}

// RefundMeant returns the refund that a callback on its payment is about, and how many others it could as well be about. It is
// nil for a callback about the payment itself: it has no such refund, or a sum went back that no refund asked for.
//
// A refund fits if it is open, has the sum named, or is the only one, and if no other movement of money is known for it. Of those that fit, the first rule of preferred decides
// that tells two apart.
func (cb Callback) RefundMeant(refunds []RefundFacts) (meant *RefundFacts, sameSum int) {
	for i := range refunds {
		r := &refunds[i]
		if cb.fits(r, len(refunds) == 1) && (meant == nil || cb.preferred(r, meant)) {
			meant = r
		}
	}
	if meant == nil || cb.Reported == string(StatusSucceeded) && cb.Minor > 0 && meant.Minor != cb.Minor {
		return nil, 0
	}
	for i := range refunds {
		if other := &refunds[i]; other != meant && other.Minor == meant.Minor && other.mayBeMeantToo(meant) && !cb.otherMovement(other) {
			sameSum++
		}
	}
	return meant, sameSum
}

// fits reports whether a callback may be about a refund.
func (cb Callback) fits(r *RefundFacts, only bool) bool {
	return (!r.Status.Final() || r.Minor == cb.Minor || only) && !cb.otherMovement(r)
}

// otherMovement reports whether a callback tells of a success by names none of which is known of a refund that succeeded by another one.
func (cb Callback) otherMovement(r *RefundFacts) bool {
	known := false
	for name, status := range r.BankReferences {
		if slices.Contains(cb.BankReferences, name) {
			return false
		}
		known = known || status == StatusSucceeded
	}
	return known && len(cb.BankReferences) > 0 && cb.Reported == string(StatusSucceeded) && r.end() == string(StatusSucceeded)
}

// preferred reports whether a callback is about r rather than about other: about the open one of the sum named, else one of that
// sum, else the open one. Of ended ones, one that ended as reported and was not confirmed by a callback yet comes first. Then
// comes one that ended otherwise, which is a contradiction. The last to end wins a tie.
func (cb Callback) preferred(r, other *RefundFacts) bool {
	rules := []func(*RefundFacts) bool{
		func(r *RefundFacts) bool { return !r.Status.Final() && (cb.Minor == 0 || cb.Minor == r.Minor) },
		func(r *RefundFacts) bool { return r.Minor == cb.Minor },
		func(r *RefundFacts) bool { return !r.Status.Final() },
		func(r *RefundFacts) bool { return r.end() == cb.Reported && !r.confirmed() },
		func(r *RefundFacts) bool { return r.end() != cb.Reported },
	}
	for _, better := range rules {
		if a, b := better(r), better(other); a != b {
			return a
		}
	}
	return r.FinalizedAt != nil && other.FinalizedAt != nil && r.FinalizedAt.After(*other.FinalizedAt)
}

// end is how the refund ended at the provider, by all that is on record.
func (r *RefundFacts) end() string {
	if r.CarriedOut {
		return string(StatusSucceeded)
	}
	return string(r.Status)
}

// confirmed reports whether a callback has said that the refund ended as it did.
func (r *RefundFacts) confirmed() bool {
	return slices.ContainsFunc(r.Judged, func(c JudgedCallback) bool {
		return c.Reported == r.end() && (c.Verdict == Apply || c.Verdict == Repeat)
	})
}

// endReported reports whether a callback has said how the refund ended, rightly or not.
func (r *RefundFacts) endReported() bool {
	return slices.ContainsFunc(r.Judged, func(c JudgedCallback) bool {
		ended := c.Reported == string(StatusSucceeded) || c.Reported == string(StatusFailed)
		return ended && (c.Verdict == Apply || c.Verdict == Repeat || c.Verdict == Conflict)
	})
}

// mayBeMeantToo reports whether a callback that is taken to be about meant, of the same sum, may be about r. Nobody calls about
// a refund that was never sent. Nor is one expected about a refund whose end a callback has told, unless meant has an id of its
// own by which the provider can be asked.
func (r *RefundFacts) mayBeMeantToo(meant *RefundFacts) bool {
	unsent := r.Status == StatusFailed && r.ProviderReference == "" && (r.FailureCode == codeNotSent || r.FailureCode == gateway.CodeNotSigned)
	return !unsent && (meant.ProviderReference != "" || !r.endReported())
}
