package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A release is signed and checked by the scripts of tools/release, with a key that is made here.
func TestAReleaseIsSignedAndChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(environ []string, args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), args[0], args[1:]...) //nolint:gosec // ours
		c.Env = append(os.Environ(), environ...)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	key := func(name string) string {
		file := filepath.Join(dir, name)
		out, err := run(nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file)
		require.NoError(t, err, out)
		public, err := os.ReadFile(file + ".pub")
		require.NoError(t, err)
		return write(name+".signers", name+"@example.com "+string(public))
	}
	signers, strangers := key("releaser"), key("stranger")
	write("dist/payrelay-v1-linux-amd64", "the server")
	out, err := run(nil, "bash", "-c", "cd "+dir+"/dist && sha256sum -- payrelay-* >SHA256SUMS")
	require.NoError(t, err, out)
	sign := func(key string) error {
		_, err := run([]string{"SIGNING_KEY=" + filepath.Join(dir, key)}, "../../tools/release/sign", filepath.Join(dir, "dist"))
		return err
	}
	verify := func(signers string) (string, error) {
		return run(nil, "../../tools/release/verify", filepath.Join(dir, "dist"), signers)
	}
	_, err = verify(signers)
	require.Error(t, err, "there is no signature")
	require.Error(t, sign("nobody"))
	require.NoError(t, sign("releaser"))
	out, err = verify(signers)
	require.NoError(t, err, out)
	require.Contains(t, out, "Signed by releaser@example.com")
	_, err = verify(strangers)
	require.Error(t, err, "somebody else's key")

	write("dist/payrelay-v1-linux-amd64", "another server")
	_, err = verify(signers)
	require.Error(t, err, "a file was exchanged")
	out, err = run(nil, "bash", "-c", "cd "+dir+"/dist && sha256sum -- payrelay-* >SHA256SUMS")
	require.NoError(t, err, out)
	_, err = verify(signers)
	require.Error(t, err, "and the sums with it")
	require.NoError(t, sign("stranger"))
	_, err = verify(signers)
	require.Error(t, err, "and signed by a stranger")
}
