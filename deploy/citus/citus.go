// Package citus holds the script that distributes the tables over a Citus cluster, for the tests that run on one.
package citus

import (
	_ "embed"
	"strings"
)

// Script is what psql runs. It is one transaction.
//
//go:embed distribute.sql
var Script string

// Statements are those of the script, one by one: Citus sends some of them on as they came, and none may bring the others along.
func Statements() []string {
	var all []string
	var statement strings.Builder
	inBody := false
	for line := range strings.Lines(Script) {
		statement.WriteString(line)
		inBody = inBody != (strings.Count(line, "$$")%2 == 1)
		if code, _, _ := strings.Cut(line, "--"); !inBody && strings.HasSuffix(strings.TrimSpace(code), ";") {
			all = append(all, statement.String())
			statement.Reset()
		}
	}
	return all
}
