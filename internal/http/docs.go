package httpapi

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"net/http"
	"strings"
	"sync"

	"payrelay/api"
)

// The page of the documentation is Scalar (MIT licence, @scalar/api-reference 1.72.1), embedded so that it works
// without a network.
//
//go:embed assets/scalar.js.gz
var scalar []byte

const docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>payrelay</title>
</head>
<body>
<noscript>This page needs JavaScript. <a href="/openapi.yaml">The contract itself</a> does not.</noscript>
<div id="app"></div>
<script src="/docs/scalar.js"></script>
<script>
Scalar.createApiReference('#app', {
  url: '/openapi.yaml', withDefaultFonts: false, telemetry: false, agent: {disabled: true}, mcp: {disabled: true},
  hideClientButton: true, showDeveloperTools: 'never', defaultOpenAllTags: true, documentDownloadType: 'yaml'
})
</script>
</body>
</html>
`

func serveContract(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(api.OpenAPI)
}

func serveDocs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'")
	_, _ = io.WriteString(w, docsPage)
}

var plainScalar = sync.OnceValue(func() []byte {
	r, err := gzip.NewReader(bytes.NewReader(scalar))
	if err != nil {
		panic(err) // the embedded file is part of the program
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return plain
})

func serveScalar(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=86400")
	w.Header().Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(scalar)
		return
	}
	_, _ = w.Write(plainScalar())
}
