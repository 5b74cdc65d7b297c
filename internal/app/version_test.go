package app

import (
	"bytes"
	"context"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// What the linker says counts; else what the go command wrote into the program; else it is said that nobody knows.
func TestTheVersionIsMadeOfTagCommitAndDate(t *testing.T) {
	t.Parallel()
	stamped := &debug.BuildInfo{
		Main: debug.Module{Version: "v0.2.0"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}, {Key: "vcs.time", Value: "2026-11-22T10:00:00Z"}, {Key: "vcs.modified", Value: "false"},
		},
	}
	dirty := &debug.BuildInfo{
		Main:     debug.Module{Version: "(devel)"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456"}, {Key: "vcs.modified", Value: "true"}},
	}
	linked := build{Version: "v0.1.0", Commit: "abc", Date: "2026-11-20T09:00:00Z", Go: "go1.26"}
	for want, got := range map[string]build{
		"payrelay v0.1.0 (commit abc, 2026-11-20T09:00:00Z, go1.26)":          linked.filled(stamped),
		"payrelay v0.2.0 (commit 0123456789ab, 2026-11-22T10:00:00Z, go1.26)": build{Go: "go1.26"}.filled(stamped),
		"payrelay dev (commit 0123456-dirty, unknown, go1.26)":                build{Go: "go1.26"}.filled(dirty),
		"payrelay dev (commit unknown, unknown, go1.26)":                      build{Go: "go1.26"}.filled(nil),
	} {
		require.Equal(t, want, got.String())
	}

	require.NoError(t, testutil.CollectAndCompare(linked.collector(), strings.NewReader(`
# HELP payrelay_build_info 1, with the version, commit, date and Go version of the running program.
# TYPE payrelay_build_info gauge
payrelay_build_info{commit="abc",date="2026-11-20T09:00:00Z",go_version="go1.26",version="v0.1.0"} 1
`)))

	var log bytes.Buffer
	l := zerolog.New(&log)
	l.Info().EmbedObject(linked).Msg("serving")
	require.JSONEq(t, `{"level":"info","commit":"abc","date":"2026-11-20T09:00:00Z","message":"serving"}`, log.String())
}

func TestVersionIsPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Zero(t, Execute(context.Background(), []string{"version"}, &Streams{Out: &out, Err: &out}))
	require.Equal(t, thisBuild().String()+"\n", out.String())
}
