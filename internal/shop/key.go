package shop

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A key reads prk_live_ID_SECRET_CHECK. The id names its row and may be shown. The check tells a key that was cut off or mistyped
// from one that is wrong, without a look-up, and lets scanners of source code know a real one.
const (
	keyPrefix    = "prk_live_"
	idLength     = 10
	secretLength = 43 // of 62 letters: 256 bits
	checkLength  = 6
	keyLength    = len(keyPrefix) + idLength + 1 + secretLength + 1 + checkLength
)

// DemoKey is the key of the demo shop of `server dev`, and DemoKeyID its id. `server run` refuses it.
const (
	DemoKey   = "prk_test_demo"
	DemoKeyID = "demo"
)

const (
	// KeyLife is how long a key works unless the operator says otherwise, PayoutKeyLife one that may send money out.
	KeyLife       = 365 * 24 * time.Hour
	PayoutKeyLife = 90 * 24 * time.Hour
	// ExpiryNotice is for how long before its end a key's answers say so.
	ExpiryNotice = 14 * 24 * time.Hour
	// MaxLiveKeys is how many live keys a shop may have.
	MaxLiveKeys = 10
)

const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewKey returns a new API key.
func NewKey() string {
	body := keyPrefix + randomLetters(idLength) + "_" + randomLetters(secretLength)
	return body + "_" + checkOf(body)
}

// KeyReason is why a key is refused.
type KeyReason string

// The reasons.
const (
	KeyMalformed KeyReason = "malformed" // it has not the form of a key
	KeyChecksum  KeyReason = "checksum"  // it was cut off or mistyped
	KeyUnknown   KeyReason = "unknown"
	// Whoever is told one of these has the whole key.
	KeyRevoked  KeyReason = "revoked"
	KeyExpired  KeyReason = "expired"
	KeyNetwork  KeyReason = "network"
	KeyDisabled KeyReason = "disabled"
	KeyAltered  KeyReason = "altered" // its row was changed past the service
)

// KeyError refuses a key.
type KeyError struct {
	Reason KeyReason
	ID     string // "" if the key has none that could be read
}

// Error implements error.
func (e *KeyError) Error() string { return "the API key is refused: " + string(e.Reason) }

// ParseKey returns the id of a key. A key that cannot be one is a *KeyError.
func ParseKey(key string) (id string, err error) {
	if key == DemoKey {
		return DemoKeyID, nil
	}
	rest, ok := strings.CutPrefix(key, keyPrefix)
	if !ok || len(key) != keyLength {
		return "", &KeyError{Reason: KeyMalformed}
	}
	parts := strings.Split(rest, "_")
	if len(parts) != 3 || len(parts[0]) != idLength || len(parts[1]) != secretLength || strings.Trim(strings.Join(parts, ""), letters) != "" {
		return "", &KeyError{Reason: KeyMalformed}
	}
	if checkOf(key[:keyLength-checkLength-1]) != parts[2] {
		return "", &KeyError{Reason: KeyChecksum}
	}
	return parts[0], nil
}

// KeyMAC is what is stored of a key: a hash under a key of the service, so that a row written by a stranger opens nothing.
func KeyMAC(secret []byte, key string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(key))
	return mac.Sum(nil)
}

// LifeOf is how long a key of these scopes works unless the operator says otherwise.
func LifeOf(scopes []Scope) time.Duration {
	if slices.Contains(scopes, ScopePayouts) {
		return PayoutKeyLife
	}
	return KeyLife
}

// Within reports whether from is in one of the networks. No networks are every network.
func Within(networks []string, from netip.Addr) bool {
	if len(networks) == 0 {
		return true
	}
	return from.IsValid() && slices.ContainsFunc(networks, func(network string) bool {
		prefix, err := netip.ParsePrefix(network)
		return err == nil && prefix.Contains(from.Unmap())
	})
}

func randomLetters(n int) string {
	text := make([]byte, n)
	for i := range text {
		place, _ := rand.Int(rand.Reader, big.NewInt(int64(len(letters)))) // never fails
		text[i] = letters[place.Int64()]
	}
	return string(text)
}

// checkOf is the CRC-32 of a key's beginning in six letters.
func checkOf(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	text := make([]byte, checkLength)
	for i := range text {
		text[checkLength-1-i] = letters[sum%uint32(len(letters))]
		sum /= uint32(len(letters))
	}
	return string(text)
}
