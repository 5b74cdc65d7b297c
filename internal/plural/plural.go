// Package plural writes a count with its noun, for texts that people read.
package plural

import "fmt"

// Of returns n with one if n is 1, and with many otherwise: "1 order", "2 orders". Both may have a verb: "1 order waits".
func Of[N int | int32 | int64 | uint64](n N, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}
