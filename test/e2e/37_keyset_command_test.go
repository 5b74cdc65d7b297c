package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// standIns are programs in the place of those that docs/keys.md calls. Each takes the arguments of the document and no others. What
// the KMS encrypts has its letters exchanged.
var standIns = map[string]string{
	"aws": `case "$*" in
"kms decrypt --ciphertext-blob fileb://FOLDER/keyset.kms --encryption-context service=payrelay --query Plaintext --output text")
	tr A-Za-z N-ZA-Mn-za-m <FOLDER/keyset.kms | base64 -w0 ;;
"kms encrypt --key-id alias/payrelay --plaintext fileb://FOLDER/keyset --encryption-context service=payrelay --query CiphertextBlob --output text")
	tr A-Za-z N-ZA-Mn-za-m <FOLDER/keyset | base64 -w0 ;;
*) echo "aws: $*" >&2; exit 1 ;;
esac`,
	"vault": `case "$*" in
"kv put secret/payrelay keyset=-") cat >FOLDER/vault ;;
"kv get -field=keyset secret/payrelay") cat FOLDER/vault ;;
*) echo "vault: $*" >&2; exit 1 ;;
esac`,
	"server": `PAYRELAY_TEST_AS_SERVER=1 exec PROGRAM "$@"`,
}

// The keyset comes from a KMS and from Vault as docs/keys.md says, with stand-ins for their command lines.
func TestKeysetsFromElsewhereAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/keys.md")
	require.NoError(t, err)
	folder, bin, database := t.TempDir(), t.TempDir(), "DATABASE_URL="+storetest.URL(t)
	here := strings.NewReplacer("/etc/payrelay", folder, "/dev/shm", folder, "FOLDER", folder, "PROGRAM", os.Args[0])
	program := func(name, text string) string {
		file := filepath.Join(bin, name)
		require.NoError(t, os.WriteFile(file, []byte(here.Replace(text)), 0o700)) //nolint:gosec // it is run
		return file
	}
	for name, text := range standIns {
		program(name, "#!/bin/sh\n"+text+"\n")
	}
	documented := func(word string) string {
		for _, b := range fenced(string(text), "sh") {
			if strings.Contains(b.text, word) {
				return here.Replace(b.text)
			}
		}
		require.Fail(t, "docs/keys.md has no block with "+word)
		return ""
	}
	path := "PATH=" + bin + ":" + os.Getenv("PATH")
	shell := func(script string, environ ...string) string {
		c := exec.CommandContext(context.Background(), "bash", "-euo", "pipefail", "-c", script) //nolint:gosec // the document's
		c.Dir, c.Env = folder, append(append(os.Environ(), path, database), environ...)
		out, err := c.Output()
		require.NoError(t, err, "%s: %v", script, err)
		return string(out)
	}
	shell("server keyset new >keyset; tr A-Za-z N-ZA-Mn-za-m <keyset >keyset.kms; rm keyset")
	command := "SECRET_KEYSET_COMMAND=" + program("keyset-from-kms", documented("aws kms decrypt"))
	starts(t, path, database, command)
	shell(documented("aws kms encrypt"), command) // which adds a key
	var status struct{ Keys map[string]string }
	require.NoError(t, json.Unmarshal([]byte(shell("server keyset status --json", command)), &status))
	require.Len(t, status.Keys, 2)
	starts(t, path, database, command)

	shell("keyset-from-kms >keyset")
	got := shell(documented("vault kv put")+`echo "$SECRET_KEYSET_COMMAND"`, command)
	starts(t, path, database, "SECRET_KEYSET_COMMAND="+strings.TrimSpace(got))
}

// starts runs the service until it is ready.
func starts(t *testing.T, environ ...string) {
	t.Helper()
	admin := freeAddress(t)
	p := startProcess(t, append(environ, "PUBLIC_URL=https://pay.example.com", "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR="+admin), "run")
	defer p.kill()
	eventually(t, func() bool {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+admin+"/readyz", nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}
