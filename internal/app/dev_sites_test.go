//go:build !production

package app

import (
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// A database whose rows are of a moved clock is not served by the clock of simulators elsewhere.
func TestSimulatorsElsewhereWantAClockThatWasNotMoved(t *testing.T) {
	t.Parallel()
	d := devCmd{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Shop: "127.0.0.1:0", External: "http://127.0.0.1:1", Data: t.TempDir()}
	_, err := d.listen(time.Second, zerolog.Nop())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(clockFile(d.Data), []byte("48h0m0s\n"), 0o600))
	_, err = d.listen(time.Second, zerolog.Nop())
	require.ErrorContains(t, err, "was moved by 48h0m0s, and --external-sandbox has a clock of its own: leave that out, or begin with --fresh")
	d.Fresh = true
	_, err = d.listen(time.Second, zerolog.Nop())
	require.NoError(t, err)
	require.NoFileExists(t, clockFile(d.Data))
}
