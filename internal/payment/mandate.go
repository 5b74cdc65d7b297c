package payment

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/plural"
)

// MandateTerms are what a customer agreed to. Zero members bound nothing.
type MandateTerms struct {
	// MaxAmount is the largest sum of one charge, in minor units of the first payment's currency.
	MaxAmount int64
	// MinDays is how far apart two payments are at least, less one day: a month may have 28 days, and a clock may be off.
	MinDays int
	// ExpiresAt is from when on nothing is charged, nil for never.
	ExpiresAt *time.Time
	// MaxCharges is how many charges there may be after the first payment.
	MaxCharges int
	// Schedule is when payrelay charges without being asked, nil for never.
	Schedule *MandateSchedule
	// CountsFrom is from when MinDays and the periods of Schedule count, nil for the first payment's success. An agreement that was
	// imported may have been charged elsewhere since.
	CountsFrom *time.Time
}

// MandateStatus is how a mandate stands.
type MandateStatus string

// The statuses. Only an active mandate is charged.
const (
	MandatePending MandateStatus = "pending" // its first payment has not ended
	MandateActive  MandateStatus = "active"
	MandatePaused  MandateStatus = "paused"
	// MandateRevoking is a revoked one whose provider may still charge what it had planned by itself.
	MandateRevoking MandateStatus = "revoking"
	MandateRevoked  MandateStatus = "revoked"
	MandateExpired  MandateStatus = "expired"
	MandateFailed   MandateStatus = "failed" // its first payment took no money
)

// MandateDecision is what the shop or an operator decided about a mandate last.
type MandateDecision string

// The decisions.
const (
	MandateUndecided MandateDecision = ""
	MandatePause     MandateDecision = "paused"
	// MandateResume holds although the first payment was given back whole; else to resume is to have decided nothing.
	MandateResume MandateDecision = "resumed"
	MandateRevoke MandateDecision = "revoked"
)

// ChargeFacts are what counts of a mandate's charges.
type ChargeFacts struct {
	// Succeeded counts those that took money, whatever went back since. LastAt is when the last of them did, nil if none has.
	Succeeded int
	LastAt    *time.Time
	// Open is one whose outcome is not known for sure, nil if there is none.
	Open *uuid.UUID
}

// Mandate is a customer's consent to be charged again. It belongs to the recurring payment that made it, and has that payment's id.
// How it stands is not stored: it follows from that payment, its charges, the last decision and the clock, so no step of an order
// can leave it behind.
type Mandate struct {
	MandateTerms
	Decision  MandateDecision
	DecidedAt *time.Time
	// ScheduleEndsAt is until when, after a revoke, a provider may charge what it had planned by itself; nil while it has not confirmed
	// that its schedule ends.
	ScheduleEndsAt *time.Time
	// First is the payment that made it.
	First *Order
	ChargeFacts
	// ByProvider says that the provider charges by its own schedule, and takes no single charge.
	ByProvider bool
	// AsOf is when the use cases read it.
	AsOf time.Time
}

// Key returns the mandate's name, which is its first payment's.
func (m *Mandate) Key() Key { return m.First.Key() }

// Status returns how the mandate stands.
func (m *Mandate) Status(now time.Time) MandateStatus {
	switch {
	case m.First.endedWithoutMoney():
		return MandateFailed
	case m.Decision == MandateRevoke && m.ByProvider && (m.ScheduleEndsAt == nil || now.Before(*m.ScheduleEndsAt)):
		return MandateRevoking
	case m.Decision == MandateRevoke:
		return MandateRevoked
	case m.First.Status != StatusSucceeded:
		return MandatePending
	case m.ExpiresAt != nil && !now.Before(*m.ExpiresAt):
		return MandateExpired
	case m.Decision == MandatePause, m.givenBack() && m.Decision != MandateResume:
		return MandatePaused
	}
	return MandateActive
}

// Ended reports whether nothing can be charged by the mandate any more: by us, or by the provider's own schedule.
func (m *Mandate) Ended(now time.Time) bool {
	if m.First.endedWithoutMoney() {
		return true
	}
	if m.ByProvider {
		end := m.chargesEnd()
		return end != nil && !now.Before(*end)
	}
	status := m.Status(now)
	return status == MandateRevoked || status == MandateExpired
}

// givenBack reports whether the first payment went back whole, by refunds or by disputes: the customer may have left.
func (m *Mandate) givenBack() bool {
	return m.First.Captured > 0 && m.First.Refunded+m.First.Disputed >= m.First.Captured
}

// countsFrom is from when days and periods count, for a mandate whose first payment has ended.
func (m *Mandate) countsFrom() time.Time {
	if m.CountsFrom != nil {
		return *m.CountsFrom
	}
	return *m.First.FinalizedAt
}

// lastSuccess is when the customer was last charged, the first payment included.
func (m *Mandate) lastSuccess() time.Time {
	last := m.countsFrom()
	if m.LastAt != nil && m.LastAt.After(last) {
		last = *m.LastAt
	}
	return last
}

// NextChargeAt is from when on the terms allow the next charge, nil if nothing is charged any more.
func (m *Mandate) NextChargeAt(now time.Time) *time.Time {
	if m.ByProvider || m.Status(now) != MandateActive || m.MaxCharges > 0 && m.Succeeded >= m.MaxCharges {
		return nil
	}
	at := m.lastSuccess().AddDate(0, 0, max(m.MinDays-1, 0))
	return &at
}

// allows refuses a charge that the terms do not allow. It is asked under the mandate's lock, in the transaction that writes the charge.
func (m *Mandate) allows(minor int64, now time.Time) error {
	switch status := m.Status(now); {
	case status == MandateExpired:
		return refusedBy(CodeMandateExpired, "expires_at", fmt.Sprintf("The mandate expired at %s.", m.ExpiresAt.UTC().Format(time.RFC3339)))
	case status != MandateActive:
		return refusedBy(CodeMandateNotActive, "status", fmt.Sprintf("The mandate is %s, and only an active one is charged.", status))
	case m.Open != nil:
		return refusedBy(CodeMandateChargeOpen, "open_charge_id", fmt.Sprintf("Charge %s of the mandate has no sure outcome yet. Wait for it: the money may have moved.", m.Open))
	case minor > m.MaxAmount:
		return refusedBy(CodeMandateLimit, "max_amount", fmt.Sprintf("One charge of the mandate is at most %d.", m.MaxAmount))
	case m.MaxCharges > 0 && m.Succeeded >= m.MaxCharges:
		return refusedBy(CodeMandateLimit, "max_charges", fmt.Sprintf("The mandate allows %s, and no more can be made.", plural.Of(m.MaxCharges, "charge", "charges")))
	}
	if at := m.NextChargeAt(now); m.MinDays > 1 && now.Before(*at) {
		e := refusedBy(CodeMandateTooSoon, "min_days", fmt.Sprintf("The last charge was less than %s ago. The next one is possible from %s on.", plural.Of(m.MinDays-1, "day", "days"), at.UTC().Format(time.RFC3339)))
		e.RetryAfter = at.Sub(now)
		return e
	}
	return nil
}

// refusedBy names the term that refuses a charge.
func refusedBy(code Code, term, message string) *Error {
	return &Error{
		Code: code, Message: message + " Nothing was stored or sent.",
		Fields: []gateway.FieldError{{Field: "mandate." + term, Message: "does not allow this charge"}},
	}
}

// decide changes what is decided about the mandate, or says why it cannot be. A decision that stands is no error.
func (m *Mandate) decide(to MandateDecision, now time.Time) error {
	switch status := m.Status(now); {
	case to == MandateResume && status == MandateActive, to == MandatePause && status == MandatePaused && m.Decision == MandatePause, to == MandateRevoke && m.Decision == MandateRevoke:
		return nil
	case status == MandateFailed, status == MandateRevoked, status == MandateExpired && to != MandateRevoke, to == MandateResume && status != MandatePaused:
		return &Error{Code: CodeMandateNotActive, Message: fmt.Sprintf("The mandate is %s. Nothing was changed.", status)}
	case to == MandateResume && !m.givenBack():
		to = MandateUndecided
	}
	m.Decision, m.DecidedAt = to, &now
	return nil
}
