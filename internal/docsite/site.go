package docsite

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"payrelay/internal/card/detect"
)

// Addresses replace, in the examples, those that `dev` has unless it is told otherwise. An empty one is left as it is written,
// but for API: that is then the host that the page was asked at.
type Addresses struct {
	// API is where shops reach the service, such as https://pay.example.com.
	API string
	// Simulators is where browsers reach the simulators of the providers.
	Simulators string
	// DemoShop is the demo shop's page.
	DemoShop string
}

// What the pages say, and Addresses replace.
const (
	writtenAPI        = "http://127.0.0.1:8080"
	writtenSimulators = "http://127.0.0.1:8090"
	writtenDemoShop   = "http://127.0.0.1:8070"
)

//go:embed assets
var assets embed.FS

var layout = template.Must(template.ParseFS(assets, "assets/page.html"))

// Site is the documentation. It is an http.Handler for /docs and everything below.
type Site struct {
	addresses Addresses
	pages     map[string]*page // by address
	menu      []group
	assets    map[string]asset
	index     func() *index
}

type asset struct {
	contentType string
	data        []byte
}

// New makes the documentation of a contract. It fails if a page or the menu of docs/README.md is not well formed.
func New(contract *openapi3.T, addresses Addresses) (*Site, error) {
	s := &Site{addresses: addresses, assets: map[string]asset{}}
	for name, contentType := range map[string]string{"docs.css": "text/css; charset=utf-8", "docs.js": "text/javascript; charset=utf-8"} {
		data, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil, err
		}
		s.assets["/docs/"+name] = asset{contentType, data}
	}
	if err := s.load(contract); err != nil {
		return nil, fmt.Errorf("read the documentation: %w", err)
	}
	s.index = sync.OnceValue(func() *index { return newIndex(s.menu) })
	return s, nil
}

// policy lets a page load what this service serves, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	at := path.Clean(r.URL.Path)
	if a, ok := s.assets[at]; ok {
		h.Set("Content-Type", a.contentType)
		h.Set("Cache-Control", "max-age=86400")
		_, _ = w.Write(a.data)
		return
	}
	if at == "/docs/search" {
		s.write(w, r, http.StatusOK, s.searched(detect.Mask(r.URL.Query().Get("q"))))
		return
	}
	p, ok := s.pages[at]
	if !ok {
		p, ok = s.pages[addressOf(strings.TrimPrefix(at, "/docs/"))] // a file's name, as links between the files have it
		if !ok {
			s.write(w, r, http.StatusNotFound, missing)
			return
		}
	}
	if p.address != r.URL.Path {
		http.Redirect(w, r, p.address, http.StatusMovedPermanently)
		return
	}
	s.write(w, r, http.StatusOK, p)
}

var missing = &page{title: "No such page", rendered: func() rendered {
	return rendered{html: "<h1>No such page</h1>\n<p>Search for a word of it, or begin at <a href=\"/docs\">the first payment</a>.</p>\n"}
}}

// host is what the examples may take over from a request.
var host = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]{1,5})?$|^\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?$`)

// actual puts the addresses of this service into a page.
func (s *Site) actual(r *http.Request, text string) string {
	api := s.addresses.API
	if api == "" && host.MatchString(r.Host) {
		api = "http://" + r.Host
	}
	var pairs []string
	for written, actual := range map[string]string{writtenAPI: api, writtenSimulators: s.addresses.Simulators, writtenDemoShop: s.addresses.DemoShop} {
		if actual != "" {
			pairs = append(pairs, written, template.HTMLEscapeString(strings.TrimRight(actual, "/")))
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func (s *Site) write(w http.ResponseWriter, r *http.Request, status int, p *page) {
	done := p.rendered()
	var out bytes.Buffer
	err := layout.Execute(&out, map[string]any{
		"Title": p.title, "Description": p.description, "Address": p.address, "Body": template.HTML(s.actual(r, done.html)), //nolint:gosec // our own pages
		"Contents": done.contents, "Menu": s.menu, "Before": p.before, "After": p.after, "Query": p.query, "Version": s.version(),
	})
	if err != nil {
		panic(err) // the template is part of the program
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// version changes with the style sheet and the script, so that a browser never keeps an old one.
func (s *Site) version() string {
	sum := sha256.Sum256(append(s.assets["/docs/docs.css"].data, s.assets["/docs/docs.js"].data...))
	return hex.EncodeToString(sum[:4])
}
