// Package shop holds what payrelay knows of the shops that call it: who they are, their keys and what those may do.
package shop

import (
	"crypto/rand"
	"crypto/sha256"
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
	CreatedAt  time.Time
}

// Scope is something a key may do.
type Scope string

// The scopes.
const (
	ScopePayments Scope = "payments"
	ScopeRefunds  Scope = "refunds"
	ScopePayouts  Scope = "payouts"
	ScopeReports  Scope = "reports"
	ScopeRead     Scope = "read"
)

// Scopes lists every scope.
var Scopes = []Scope{ScopePayments, ScopeRefunds, ScopePayouts, ScopeReports, ScopeRead}

// Principal is an authenticated caller.
type Principal struct {
	Shop   Shop
	Scopes []Scope
}

// May reports whether the caller's key carries scope.
func (p Principal) May(scope Scope) bool { return slices.Contains(p.Scopes, scope) }

// DemoKey is the key of the demo shop of `server dev`. `server run` refuses it.
const DemoKey = "prk_test_demo"

// NewKey returns a new API key, 256 bits of randomness behind the prefix prk_live_.
func NewKey() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return "prk_live_" + base64.RawURLEncoding.EncodeToString(b)
}

// HashKey returns what is stored of a key. A fast hash is right for a random key: there is nothing to guess.
func HashKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// KeyPrefix returns the part of a key that may be shown, to tell keys apart.
func KeyPrefix(key string) string { return key[:min(len(key), 13)] }

// NewWebhookSecret returns a new signing secret in the form of Standard Webhooks: whsec_ and 32 random bytes.
func NewWebhookSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}
