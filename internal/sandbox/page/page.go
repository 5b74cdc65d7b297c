package page

import (
	"bytes"
	"crypto/rand"
	_ "embed" // for the style sheet
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/rs/zerolog"

	"payrelay/internal/sandbox/locale"
)

//go:embed page.css
var css string

// Pages is a set of parsed templates that share the layout.
type Pages struct {
	all map[string]*template.Template
	// ukrainian are those of customers, who may read Ukrainian.
	ukrainian map[string]*template.Template
	log       zerolog.Logger
}

// Page is one answer to a browser.
type Page struct {
	// Name is the file name of the template without its ending.
	Name string
	// Title is the text of the browser's tab, with the amount after it if there is one.
	Title  string
	Amount *locale.Sum
	// Locale is the customer's language as the merchant named it, empty if nobody did.
	Locale string
	// Wide gives tables the whole width; else the page is a narrow card.
	Wide bool
	// Refresh reloads the page after so many seconds; 0 means never.
	Refresh int
	// FormTargets are addresses, beside the page's own origin, to which a form may lead, redirects included.
	FormTargets []string
	// Status is the HTTP status; 0 means 200.
	Status int
	// Data is handed to the template.
	Data any
}

type view struct {
	Page
	CSS   template.CSS
	Nonce string
	Lang  string
}

const layout = `<!doctype html>
<html lang="{{.Lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
{{if .Refresh}}<meta http-equiv="refresh" content="{{.Refresh}}">{{end}}
<title>{{t .Title}}{{if .Amount}} {{sum .Amount}}{{end}}</title>
<link rel="icon" href="data:,">
<style nonce="{{.Nonce}}">{{.CSS}}</style>
</head>
<body class="{{if .Wide}}wide{{else}}narrow{{end}}">
<p class="sandbox-bar" role="note"><strong>{{t "Simulator"}}</strong> – {{t "no real money moves here"}}</p>
{{template "content" .}}
</body>
</html>
`

// Parse reads every *.html of dir in files; each defines "content". log gets the pages that fail.
func Parse(files fs.FS, dir string, funcs template.FuncMap, log zerolog.Logger) (*Pages, error) {
	base, err := template.New("layout").Option("missingkey=zero").Funcs(template.FuncMap{"t": locale.English.Text, "sum": locale.English.Sum}).Funcs(funcs).Parse(layout)
	if err != nil {
		return nil, fmt.Errorf("parse page layout: %w", err)
	}
	names, err := fs.Glob(files, dir+"/*.html")
	if err != nil {
		return nil, fmt.Errorf("list page templates: %w", err)
	}
	p := &Pages{all: map[string]*template.Template{}, ukrainian: map[string]*template.Template{}, log: log}
	for _, name := range names {
		t, err := base.Clone()
		if err == nil {
			_, err = t.ParseFS(files, name)
		}
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		short := strings.TrimSuffix(name[strings.LastIndex(name, "/")+1:], ".html")
		p.all[short] = t
		if source, err := fs.ReadFile(files, name); err != nil || !bytes.Contains(source, []byte(`{{t "`)) {
			continue // a developer's page
		}
		if t, err = t.Clone(); err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		p.ukrainian[short] = t.Funcs(template.FuncMap{"t": locale.Ukrainian.Text, "sum": locale.Ukrainian.Sum})
	}
	return p, nil
}

// Show is Render with a failure in the log.
func (p *Pages) Show(w http.ResponseWriter, r *http.Request, pg Page) {
	if err := p.Render(w, r, pg); err != nil {
		p.log.Error().Err(err).Msg("page failed")
	}
}

// Render writes a page with its security headers, in the language of whoever asks. A template that fails is
// answered with status 500 and reported as the error.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, pg Page) error {
	v := view{Page: pg, CSS: template.CSS(css), Nonce: nonce(), Lang: locale.English.Lang()} //nolint:gosec // our own style sheet
	var buf bytes.Buffer
	t, ok := p.all[pg.Name]
	if forCustomers := p.ukrainian[pg.Name]; forCustomers != nil && locale.Of(w, r, pg.Locale) == locale.Ukrainian {
		t, v.Lang = forCustomers, locale.Ukrainian.Lang()
	}
	if !ok {
		http.Error(w, "no such page", http.StatusInternalServerError)
		return fmt.Errorf("render page %q: no such template", pg.Name)
	}
	if err := t.ExecuteTemplate(&buf, "layout", v); err != nil {
		http.Error(w, "page failed", http.StatusInternalServerError)
		return fmt.Errorf("render page %q: %w", pg.Name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy(v.Nonce, pg.FormTargets))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if pg.Status != 0 {
		w.WriteHeader(pg.Status)
	}
	_, _ = w.Write(buf.Bytes())
	return nil
}

// policy lists the form targets because browsers apply form-action to the
// redirect that follows a submitted form as well.
func policy(nonce string, targets []string) string {
	form := "'self'"
	for _, t := range targets {
		if u, err := url.Parse(t); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") &&
			!strings.ContainsAny(u.Host, " ;,'\"") {
			form += " " + u.Scheme + "://" + u.Host
		}
	}
	return "default-src 'none'; img-src data:; style-src 'nonce-" + nonce + "'; script-src 'nonce-" + nonce +
		"'; form-action " + form + "; frame-ancestors 'none'; base-uri 'none'"
}

func nonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
