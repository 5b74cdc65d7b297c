package app

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestALimitThatSaysNothingIsRefused holds that each limit that cannot be meant is refused with what to do, and changes nothing.
func TestALimitThatSaysNothingIsRefused(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	before := b.contents(t)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no bound":                {[]string{"--shop", "first", "--kind", "payout", "--rule", "day"}, "--amount or --orders says how much"},
		"a number of one":         {[]string{"--shop", "first", "--kind", "payout", "--rule", "order", "--orders", "3"}, "--rule hour"},
		"a sum of no currency":    {[]string{"--shop", "first", "--kind", "payout", "--rule", "day", "--amount", "3"}, "--currency"},
		"an unknown currency":     {[]string{"--shop", "first", "--kind", "payout", "--rule", "day", "--amount", "3", "--currency", "XYZ"}, "ISO 4217"},
		"two scopes":              {[]string{"--shop", "first", "--global", "--kind", "payout", "--rule", "day", "--orders", "3"}, "--global and --shop can't be used together"},
		"no scope":                {[]string{"--kind", "payout", "--rule", "day", "--orders", "3"}, "--global or --shop=NAME"},
		"an unknown shop":         {[]string{"--shop", "frist", "--kind", "payout", "--rule", "day", "--orders", "3"}, "frist"},
		"an unknown account":      {[]string{"--account", "EUR-9", "--kind", "payout", "--rule", "day", "--orders", "3"}, "EUR-9"},
		"an unknown key":          {[]string{"--key", "nokey", "--kind", "payout", "--rule", "day", "--orders", "3"}, "server key list"},
		"declines of a sum":       {[]string{"--shop", "first", "--kind", "payment", "--rule", "declines", "--amount", "3", "--currency", "EUR"}, "give --orders"},
		"declines of payouts":     {[]string{"--shop", "first", "--kind", "payout", "--rule", "declines", "--orders", "3"}, "--kind payment"},
		"a pause of all":          {[]string{"--global", "--kind", "payment", "--rule", "pause", "--orders", "3"}, "--shop"},
		"a release of payments":   {[]string{"--shop", "first", "--kind", "payment", "--rule", "approval", "--amount", "3", "--currency", "EUR"}, "--kind payout"},
		"duplicates of a payment": {[]string{"--shop", "first", "--kind", "payment", "--rule", "duplicate"}, "--kind refund"},
		"duplicates of a sum":     {[]string{"--shop", "first", "--kind", "refund", "--rule", "duplicate", "--amount", "3"}, "leave --amount"},
	} {
		var out, errs bytes.Buffer
		code := Execute(t.Context(), append([]string{"limit", "set"}, c.args...), &Streams{Out: &out, Err: &errs, Environ: b.environ})
		require.NotZero(t, code, name)
		require.Contains(t, errs.String(), c.says, name)
	}
	require.Equal(t, before, b.contents(t))
}
