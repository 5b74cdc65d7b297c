package contract

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

const document = "../../api/openapi.yaml"

func TestLint(t *testing.T) {
	t.Parallel()
	t.Run("redocly", func(t *testing.T) {
		t.Parallel()
		run(t, node(t), "node_modules/@redocly/cli/bin/cli.js", "lint", document, "--config=redocly.yaml", "--max-problems=1000")
	})
	t.Run("spectral", func(t *testing.T) {
		t.Parallel()
		run(t, node(t), "node_modules/@stoplight/spectral-cli/dist/index.js", "lint", "--ruleset=spectral.yaml", "--fail-severity=hint", document)
	})
	t.Run("kin-openapi", func(t *testing.T) {
		t.Parallel()
		load(t)
	})
}

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(document)
	require.NoError(t, err)
	require.NoError(t, doc.Validate(context.Background()))
	return doc
}

// TestClients generates clients, compiles them and makes a first payment with each.
func TestClients(t *testing.T) {
	t.Parallel()
	dev := startDev(t)
	changed := changing(t, dev.API)
	for name, c := range map[string]struct {
		generate func(t *testing.T)
		compile  func(t *testing.T)
		command  []string
	}{
		"oapi-codegen": {
			generate: func(t *testing.T) {
				require.NoError(t, os.MkdirAll("out/oapi", 0o755))
				run(t, "go", "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", document)
			},
			compile: func(t *testing.T) { compileGo(t, "oapi") },
			command: []string{"out/bin/oapi"},
		},
		"ogen": {
			generate: func(t *testing.T) {
				run(t, "go", "tool", "ogen", "--target", "out/ogen", "--package", "ogen", "--clean", document)
			},
			compile: func(t *testing.T) { compileGo(t, "ogen") },
			command: []string{"out/bin/ogen"},
		},
		"openapi-fetch": {
			generate: func(t *testing.T) {
				run(t, node(t), "node_modules/openapi-typescript/bin/cli.js", document, "--output", "out/schema.d.ts")
			},
			compile: func(t *testing.T) { compileTypeScript(t, "fetch") },
			command: []string{node(t), "out/fetch/clients/fetch.js"},
		},
		"hey-api": {
			generate: func(t *testing.T) {
				run(t, node(t), "node_modules/@hey-api/openapi-ts/bin/run.js")
			},
			compile: func(t *testing.T) { compileTypeScript(t, "heyapi") },
			command: []string{node(t), "out/heyapi/clients/heyapi.js"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.generate(t)
			c.compile(t)
			run(t, c.command[0], append(c.command[1:], dev.API, dev.ShopKey, "as-it-is")...)
			run(t, c.command[0], append(c.command[1:], changed, dev.ShopKey, "changed")...)
		})
	}
}

func compileGo(t *testing.T, name string) {
	t.Helper()
	run(t, "go", "vet", "./out/"+name, "./clients/"+name)
	run(t, "go", "build", "-o", "out/bin/"+name, "./clients/"+name)
}

func compileTypeScript(t *testing.T, name string) {
	t.Helper()
	run(t, node(t), "node_modules/typescript/bin/tsc", "--project", "clients/"+name+".tsconfig.json")
}

// node is the pinned Node.js; the machine's own where there is none for it.
func node(t *testing.T) string {
	t.Helper()
	pinned, err := filepath.Abs(filepath.Join("node_modules", "node-linux-"+map[string]string{"amd64": "x64"}[runtime.GOARCH], "bin", "node"))
	require.NoError(t, err)
	if _, err := os.Stat(pinned); err == nil {
		return pinned
	}
	return "node"
}

// run runs a command to its end and fails the test if it fails or takes minutes.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "NO_COLOR=1", "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	require.NoError(t, c.Run(), "%s %v\n%s", name, args, &out)
}
