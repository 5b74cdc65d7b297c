package httpapi

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/oasdiff/yaml"

	"payrelay/api"
)

// The page of the documentation is Scalar (MIT licence, @scalar/api-reference 1.72.1), embedded so that it works
// without a network.
//
//go:embed assets/scalar.js.gz
var scalar []byte

// docsTemplate explains the code that the address names, /docs#wrong_code, above the whole documentation.
var docsTemplate = template.Must(template.New("docs").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>payrelay</title>
<style>
#codes { font-family: system-ui, sans-serif; line-height: 1.5 }
#codes article { display: none; max-width: 45em; margin: 1.5em auto; padding: .5em 1.5em; border: 1px solid #888; border-radius: 8px; background: #fff; color: #111 }
#codes article:target { display: block }
</style>
<noscript><style>#codes article { display: block }</style></noscript>
</head>
<body>
<noscript>The documentation needs JavaScript. <a href="/openapi.yaml">The contract itself</a> and this list of error codes do not.</noscript>
<section id="codes" aria-label="Error codes">
{{range .}}<article id="{{.Code}}">
<h2><code>{{.Code}}</code></h2>
{{range .Cases}}<h3>Status {{.Status}}</h3>
<p><b>Cause:</b> {{.Cause}}</p>
<p><b>What to do:</b> {{.Cure}}</p>
{{end}}</article>
{{end}}</section>
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
`))

var docsPage = sync.OnceValue(func() []byte {
	doc, err := Document()
	if err != nil {
		panic(err) // New reads it first
	}
	var page bytes.Buffer
	if err := docsTemplate.Execute(&page, errorCodes(doc.Info.Description)); err != nil {
		panic(err)
	}
	return page.Bytes()
})

// contractJSON is the contract for those who read no YAML.
var contractJSON = sync.OnceValue(func() []byte {
	doc, err := yaml.YAMLToJSON(api.OpenAPI)
	if err != nil {
		panic(err) // the embedded file is part of the program
	}
	return doc
})

func serveContract(w http.ResponseWriter, _ *http.Request) {
	serveDocument(w, "application/yaml; charset=utf-8", api.OpenAPI)
}

func serveContractJSON(w http.ResponseWriter, _ *http.Request) {
	serveDocument(w, "application/json", contractJSON())
}

func serveDocument(w http.ResponseWriter, contentType string, doc []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(doc)
}

func serveDocs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'")
	_, _ = w.Write(docsPage())
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
