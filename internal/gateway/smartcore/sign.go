package smartcore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// pair is a decoded field of a callback.
type pair struct{ key, value string }

// mac computes the signature of pairs, which are put in order (smartcore.md 11.1): values in the order of their keys,
// joined by bars. The keys are ASCII, so bytes order them like the vendor's UTF-16.
func mac(secret []byte, pairs []pair) []byte {
	slices.SortFunc(pairs, func(a, b pair) int {
		if a.key < b.key {
			return -1
		}
		return 1 // keys differ
	})
	h := hmac.New(sha256.New, secret)
	for i, p := range pairs {
		if i > 0 {
			h.Write([]byte{'|'})
		}
		h.Write([]byte(p.value))
	}
	return h.Sum(nil)
}

// genuine reports, in constant time, whether sign is the signature of pairs, and returns it decoded. Either case of hex
// digits will do.
func genuine(secret []byte, pairs []pair, sign string) ([]byte, bool) {
	given, err := hex.DecodeString(sign)
	return given, err == nil && hmac.Equal(given, mac(secret, pairs))
}
