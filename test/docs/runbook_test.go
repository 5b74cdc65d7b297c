package docs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runbookParts are what docs/runbook.md says of each alert, in this order.
var runbookParts = []string{"**What it means:** ", "**What to look at:** ", "**Safe:** ", "**Not safe:** "}

// TestEveryAlertIsInTheRunbook holds the rules of Prometheus and docs/runbook.md to each other.
func TestEveryAlertIsInTheRunbook(t *testing.T) {
	t.Parallel()
	entries := map[string]string{}
	for _, part := range regexp.MustCompile(`(?m)^#+ `).Split(read(t, "docs/runbook.md"), -1) {
		title, text, _ := strings.Cut(part, "\n")
		entries[title] = text
	}
	alerts := 0
	for _, name := range files(t, ".yml") {
		if !strings.HasPrefix(name, "deploy/prometheus/rules/") {
			continue
		}
		for _, rule := range regexp.MustCompile(`(?m)^ +- alert: `).Split(read(t, name), -1)[1:] {
			alerts++
			alert, rest, _ := strings.Cut(rule, "\n")
			require.Contains(t, rest, "runbook: docs/runbook.md#"+strings.ToLower(alert)+"\n", "%s leads to another heading", alert)
			text, found := entries[alert]
			require.True(t, found, "docs/runbook.md has no heading for %s", alert)
			delete(entries, alert)
			at := 0
			for _, part := range runbookParts {
				next := strings.Index(text[at:], part)
				require.GreaterOrEqual(t, next, 0, "docs/runbook.md says nothing of %q, or not in its place, for %s", part, alert)
				at += next
			}
		}
	}
	require.NotZero(t, alerts)
	for title := range entries {
		require.False(t, strings.HasPrefix(title, "Payrelay"), "docs/runbook.md has %s, and no alert is called so", title)
	}
}
