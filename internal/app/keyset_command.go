package app

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// keysetCommandLimit is how long SECRET_KEYSET_COMMAND may take: a KMS may be asked again and again.
const keysetCommandLimit = time.Minute

// keysetFromCommand fills SECRET_KEYSET with what SECRET_KEYSET_COMMAND prints. What it prints is shown nowhere, also if it fails.
func keysetFromCommand(vars map[string]string) (problems []string) {
	words := strings.Fields(vars["SECRET_KEYSET_COMMAND"])
	switch {
	case len(words) == 0:
		return nil
	case vars["SECRET_KEYSET"] != "":
		return []string{"SECRET_KEYSET and SECRET_KEYSET_COMMAND are both set: set one"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), keysetCommandLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).Output() //nolint:gosec // the operator's own command
	switch {
	case ctx.Err() != nil:
		return []string{"SECRET_KEYSET_COMMAND did not end within " + keysetCommandLimit.String()}
	case err != nil:
		return []string{"SECRET_KEYSET_COMMAND failed: run it by hand as the service's user to see why"}
	case strings.TrimSpace(string(out)) == "":
		return []string{"SECRET_KEYSET_COMMAND printed nothing: it must print the keyset"}
	}
	vars["SECRET_KEYSET"] = strings.TrimSpace(string(out))
	return nil
}
