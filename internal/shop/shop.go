// Package shop holds what payrelay knows of the shops that call it: who they are, their keys and what those may do.
package shop

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Shop is a caller with orders of its own.
type Shop struct {
	ID              uuid.UUID
	Name            string
	NotificationURL string
	// AllowCIDRs are the internal addresses that notifications of this shop may go to.
	AllowCIDRs []string
	Defaults   Defaults
	OnSurplus  Surplus
	Mode       Mode
	// Version counts the changes of the shop, from 1 on.
	Version   int64
	CreatedAt time.Time
}

// Surplus is what becomes of money that nobody asked for and that has an order of its own, such as a late success.
type Surplus string

// What becomes of it.
const (
	HoldSurplus   Surplus = "hold"   // the shop decides
	RefundSurplus Surplus = "refund" // it goes back at once
)

// Defaults are what a request of the shop has that leaves it out. Each is "" for none.
type Defaults struct {
	// SiteURL is the shop's site.
	SiteURL string `json:"site_url"`
	// ReturnURL is where customers come back to, whatever happened. SuccessURL and FailURL are nothing without it: some providers
	// know one address only.
	ReturnURL  string `json:"return_url"`
	SuccessURL string `json:"success_url"`
	FailURL    string `json:"fail_url"`
	// Flow is who collects the card: hosted or direct.
	Flow string `json:"flow"`
	// Cascade is which declines let a payment go to another account: provider or issuer.
	Cascade string `json:"cascade"`
}

// Mode is how far a shop, a key or an account is switched off.
type Mode string

// The modes, each stricter than the one before.
const (
	ModeEnabled Mode = "enabled"
	ModeDrain   Mode = "drain" // no new money; what has begun is brought to its end
	ModeOff     Mode = "off"   // nothing is sent to a provider but questions
	// ModeClosed is for accounts only: nothing is open there, and nothing begins or goes on. It is the last mode.
	ModeClosed Mode = "closed"
)

// Stricter returns the stricter of two modes.
func (m Mode) Stricter(other Mode) Mode {
	rank := func(m Mode) int { return slices.Index([]Mode{ModeEnabled, ModeDrain, ModeOff, ModeClosed}, m) }
	if rank(other) > rank(m) {
		return other
	}
	return m
}

// Scope is something a key may do.
type Scope string

// The scopes.
const (
	ScopePayments Scope = "payments"
	ScopeMandates Scope = "mandates" // also of a key for payments
	ScopeRefunds  Scope = "refunds"
	ScopePayouts  Scope = "payouts"
	ScopeDisputes Scope = "disputes"
	ScopeReports  Scope = "reports"
	ScopeRead     Scope = "read"
)

// Scopes lists every scope.
var Scopes = []Scope{ScopePayments, ScopeMandates, ScopeRefunds, ScopePayouts, ScopeDisputes, ScopeReports, ScopeRead}

// Principal is an authenticated caller.
type Principal struct {
	Shop   Shop
	KeyID  string
	Scopes []Scope
	// ExpiresAt is when the key stops working.
	ExpiresAt time.Time
	// Mode is how far the shop or its key is switched off.
	Mode Mode
	// Rates are how often the key may ask.
	Rates Rates
}

// May reports whether the caller's key carries scope. Who may begin payments may charge the mandates that they make.
func (p Principal) May(scope Scope) bool {
	return slices.Contains(p.Scopes, scope) || scope == ScopeMandates && slices.Contains(p.Scopes, ScopePayments)
}

// NewWebhookSecret returns a new signing secret in the form of Standard Webhooks: whsec_ and 32 random bytes.
func NewWebhookSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}
