//go:build !production

package app

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoLogLineForPeopleHasACardNumber(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := newLogger(devCmd{}.logOutput(&out), "info")
	log.Warn().Str("host", "4539148803434066.example.com").Msg("notification attempt")
	require.Contains(t, out.String(), "notification attempt")
	require.NotContains(t, out.String(), "4539148803434066")
}
