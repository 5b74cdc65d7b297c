package contract

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"
)

// ready is the line that `dev --json` prints.
type ready struct {
	API           string `json:"api"`
	Sandbox       string `json:"sandbox"`
	ShopPage      string `json:"shop_page"`
	ShopKey       string `json:"shop_key"`
	WebhookSecret string `json:"webhook_secret"`
}

// server builds the service once.
var server = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "-C", "../..", "build", "-o", "test/contract/out/bin/server", "./cmd/server").CombinedOutput()
	return string(out), err
})

// startDev starts a real `dev`.
func startDev(t *testing.T, options ...string) ready {
	t.Helper()
	said, err := server()
	require.NoError(t, err, said)
	data, err := os.MkdirTemp("", "contract-") // not below the test's own folder, which Postgres may not read
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	require.NoError(t, os.Chmod(data, 0o755)) //nolint:gosec // Postgres is another user
	any := "127.0.0.1:0"
	options = append([]string{"dev", "--json", "--fresh", "--data", data, "--listen", any, "--admin", any, "--sandbox", any, "--shop", any}, options...)
	c := exec.Command("out/bin/server", options...)
	var problems bytes.Buffer
	c.Stderr = &problems
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { // after the subtests, which run at once
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err, "dev did not start: %s", &problems)
	var r ready
	require.NoError(t, json.Unmarshal(line, &r))
	return r
}

// later is the value and the name of what a later version adds.
const later = "added_later"

// changing returns the address of a proxy that passes everything on, and answers as a later version might: every object has
// a member more, every word of a growing list is one that no client knows, and so is the status of an error.
func changing(t *testing.T, target string) string {
	t.Helper()
	to, err := url.Parse(target)
	require.NoError(t, err)
	doc := load(t)
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		route, _, err := router.FindRoute(&http.Request{Method: r.Request.Method, URL: &url.URL{Path: r.Request.URL.Path}})
		if err != nil {
			return err
		}
		response := route.Operation.Responses.Status(r.StatusCode)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		var answer any
		if err := json.Unmarshal(body, &answer); err != nil {
			return err
		}
		for _, media := range response.Value.Content {
			answer = change(answer, media.Schema.Value)
		}
		if body, err = json.Marshal(answer); err != nil {
			return err
		}
		if r.StatusCode == http.StatusUnprocessableEntity {
			r.StatusCode = http.StatusTeapot
		}
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

func change(value any, schema *openapi3.Schema) any {
	switch v := value.(type) {
	case string:
		if _, grows := schema.Extensions["x-extensible-enum"]; grows {
			return later
		}
	case []any:
		for i := range v {
			v[i] = change(v[i], schema.Items.Value)
		}
	case map[string]any:
		if len(schema.Properties) == 0 { // a map: its names are nobody's to add to
			return v
		}
		for name, property := range schema.Properties {
			if inner, has := v[name]; has {
				v[name] = change(inner, property.Value)
			}
		}
		v[later] = map[string]any{"more": []any{1, "x", nil}}
	}
	return value
}
