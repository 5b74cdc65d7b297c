package routing

import (
	"fmt"
	"slices"
	"strings"
)

// unknown says that a word is none of those that are known, and which one is nearest.
func unknown(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return fmt.Sprintf("%q is not known: did you mean %q?", word, near)
	}
	if len(known) > 20 {
		return fmt.Sprintf("%q is not known", word)
	}
	return fmt.Sprintf("%q is not known: write one of %s", word, strings.Join(known, ", "))
}

// Nearest returns the known word that is most like word, "" if none is like it.
func Nearest(word string, known []string) string {
	return NearestWithin(len(word)/3+1, word, known)
}

// NearestWithin returns the known word that becomes word with the fewest changes of a letter, "" if it takes more than most.
func NearestWithin(most int, word string, known []string) string {
	best, least := "", most+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is how many bytes to add, remove or replace to make b of a.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(before[j]+cost, before[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
