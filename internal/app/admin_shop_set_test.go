package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAShopIsSetUnlessSomebodyWasFaster(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	require.Contains(t, b.command(t, "shop", "list", "--json"), `"version":1`)
	require.Contains(t, b.command(t, "shop", "set", "first", "--flow", "direct", "--expect-version", "1", "--json"), `"version":2`)
	before := b.contents(t)
	for want, args := range map[string][]string{
		"is at version 2, and not 1: somebody has changed it. It is enabled now, with notification_url=https://shop.example/hook allow_cidrs= on_surplus=hold flow=direct. Nothing was changed": {"--flow", "hosted", "--expect-version", "1"},
		"--expect-version counts from 1 on":                {"--flow", "hosted", "--expect-version=-1"},
		"--success-url and --fail-url stand beside":        {"--success-url", "https://shop.example/thanks", "--expect-version", "2"},
		"--notification-url is not on the public internet": {"--notification-url", "http://127.0.0.1/hook"},
		"--flow is hosted or direct, and not \"often\"":    {"--flow", "often"},
	} {
		require.Contains(t, b.refused(t, append([]string{"shop", "set", "first"}, args...)...), want)
		require.Equal(t, before, b.contents(t), "%v", args)
	}
	b.command(t, "shop", "set", "first", "--flow", "hosted", "--expect-version", "2")
}
