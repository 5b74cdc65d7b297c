package names

import (
	"fmt"
	"slices"
	"strings"
)

// Check returns nil if known has the name. Otherwise the error says what was named, the nearest known name and all of them.
func Check[S ~string](what string, name S, known []S) error {
	if slices.Contains(known, name) {
		return nil
	}
	nearest, all := S(""), make([]string, len(known))
	for i, k := range known {
		if all[i] = string(k); i == 0 || distance(string(name), string(k)) < distance(string(name), string(nearest)) {
			nearest = k
		}
	}
	return fmt.Errorf("unknown %s %q, did you mean %q? It must be one of %s", what, name, nearest, strings.Join(all, ", "))
}

// distance is how many letters must be added, dropped or replaced, whatever their case.
func distance(a, b string) int {
	x, y := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range x {
		before := row[0]
		row[0] = i + 1
		for j, s := range y {
			replaced := before
			if r != s {
				replaced++
			}
			before = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
