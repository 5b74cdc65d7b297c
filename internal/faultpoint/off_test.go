//go:build !faults

package faultpoint

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnOrdinaryBuildHasNoFaults(t *testing.T) {
	t.Setenv("PAYRELAY_FAULTPOINTS", "here:1")
	t.Setenv("PAYRELAY_FAULTPOINTS_TIMES", "pause=1ns")
	require.False(t, Enabled)
	Hit("here") // and the test goes on
	require.Equal(t, time.Hour, Duration("pause", time.Hour))
	require.WithinDuration(t, time.Now(), Now(), time.Second)
}
