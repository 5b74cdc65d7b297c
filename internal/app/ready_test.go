//go:build !production

package app

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/clock"
	"payrelay/internal/sandbox/control"
)

func writeReady(t *testing.T, folder string, r Ready) {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "dev.json"), text, 0o600))
}

// Commands in the folder of a `dev` find it wherever it listens. What they are told wins.
func TestCommandsFindTheDevOfTheirFolder(t *testing.T) { //nolint:paralleltest // it changes the folder
	t.Chdir(t.TempDir())
	client, err := shopFlags{}.client(&Streams{})
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:8080", client.url)
	require.Equal(t, "http://127.0.0.1:8090", devHere().Sandbox)

	writeReady(t, devFolder, Ready{API: "http://127.0.0.1:23001", Sandbox: "http://127.0.0.1:23002"})
	client, err = shopFlags{}.client(&Streams{})
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:23001", client.url)
	require.Equal(t, "http://127.0.0.1:23002", devHere().Sandbox)
	client, err = shopFlags{URL: "http://127.0.0.1:23003"}.client(&Streams{})
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:23003", client.url)
}

// A command that needs a running `dev` says in one sentence that there is none, whether it was stopped or killed.
func TestCommandsSayThatNoDevRuns(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	said := func() string {
		var problems bytes.Buffer
		require.NotZero(t, Execute(t.Context(), []string{"clock", "show", "--data", folder}, &Streams{Out: &problems, Err: &problems}))
		return problems.String()
	}
	require.Contains(t, said(), "no 'server dev' runs here: there is no "+readyFile(folder)+": start one, or name its folder with --data\n")

	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	writeReady(t, folder, Ready{Admin: dead.URL, Sandbox: dead.URL})
	require.Contains(t, said(), "the 'server dev' that "+readyFile(folder)+" names is gone: nobody answers at "+dead.URL+": start one, or name its folder with --data\n")
}

// A long way takes minutes: the clock is printed each second of it.
func TestAdvanceSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	r := chi.NewRouter()
	control.ClockRoutes(r, clock.New(nil, 0))
	simulators := httptest.NewServer(r)
	defer simulators.Close()
	folder := t.TempDir()
	writeReady(t, folder, Ready{Admin: simulators.URL, Sandbox: simulators.URL})
	var out, progress bytes.Buffer
	require.Zero(t, Execute(t.Context(), []string{"clock", "advance", "3h", "--step", "1h", "--data", folder}, &Streams{Out: &out, Err: &progress}), progress.String())
	require.Regexp(t, `^\S+Z, moved by 3h0m0s\n$`, out.String())
	require.Regexp(t, `^\S+Z, moved by 2h0m0s\n`, progress.String())
}
