package names

import (
	"fmt"
	"slices"
	"strings"
)

// Check returns nil if known has the name. Otherwise the error says what was named, the nearest known name if one is near, and all of them.
func Check[S ~string](what string, name S, known []S) error {
	if slices.Contains(known, name) {
		return nil
	}
	nearest, least, all := "", len(name)/3+2, make([]string, len(known))
	for i, k := range known {
		all[i] = string(k)
		if d := distance(string(name), all[i]); d < least {
			nearest, least = all[i], d
		}
	}
	switch {
	case name == "":
		return fmt.Errorf("no %s is named: it must be one of %s", what, strings.Join(all, ", "))
	case nearest == "":
		return fmt.Errorf("unknown %s %q: it must be one of %s", what, name, strings.Join(all, ", "))
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
