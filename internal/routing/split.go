package routing

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
)

// drawn are the accounts of a split in the order in which a key draws them, by weighted rendezvous hashing: each account has a number
// of its own for a key, and the greatest is first. So a changed weight moves only the part of the keys that it must. The salt is the
// rule's name: other rules divide the same keys otherwise, another version of the rule does not.
func drawn(shares []Share, salt, key string) []Share {
	type scored struct {
		Share
		score float64
	}
	list := make([]scored, len(shares))
	for i, s := range shares {
		list[i] = scored{s, score(s, salt, key)}
	}
	slices.SortFunc(list, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.Account, b.Account))
	})
	order := make([]Share, len(list))
	for i, s := range list {
		order[i] = s.Share
	}
	return order
}

func score(s Share, salt, key string) float64 {
	return -float64(s.Weight) / math.Log(drawOf(salt, key, s.Account))
}

// trialShare is the part of its payments that an unhealthy account is still sent.
const trialShare = 0.05

// trialSalt is the name of no rule.
const trialSalt = "\x00trial"

// Trial reports whether an order tries an unhealthy account out. It always says the same of an order and account.
func Trial(orderKey, account string) bool {
	return orderKey != "" && drawOf(trialSalt, orderKey, account) < trialShare
}

// drawOf is the number between 0 and 1 that a key draws for an account.
func drawOf(salt, key, account string) float64 {
	text := make([]byte, 0, 128)
	for _, part := range []string{salt, key, account} {
		text = binary.BigEndian.AppendUint16(text, uint16(len(part))) //nolint:gosec // names are short
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	const bits = 53 // what a float64 holds
	return (float64(binary.BigEndian.Uint64(sum[:])>>(64-bits)) + 0.5) / (1 << bits)
}
