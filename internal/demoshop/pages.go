package demoshop

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/locale"
)

//go:embed assets
var assets embed.FS

// shown is how many notifications the first page lists.
const shown = 50

var pages = map[*locale.Locale]*template.Template{locale.English: parse(locale.English), locale.Ukrainian: parse(locale.Ukrainian)}

func parse(l *locale.Locale) *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"t":     l.Text,
		"sum":   l.Sum,
		"clock": func(t time.Time) string { return t.UTC().Format("15:04:05") },
		"stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"short": short,
		"words": func(status string) string { return cmp.Or(statuses[status], status) },
		"tone":  tone,
	}).ParseFS(assets, "assets/*.html"))
}

// page is what the templates see, with texts in English: they translate. Refresh is how many seconds a browser without script
// waits to load it again; 0 never.
type page struct {
	Lang  string
	Title string
	// Elsewhere is where notifications go, if not to this page.
	Elsewhere string
	Refresh   int
	Source    string // where the script fetches the live part
	Problem   string
	Detail    string // what payrelay says of the problem
	Amount    string
	Items     []received
	Total     int
	Turned    int
	OrderID   string
	Latest    received
	Known     bool
	Outcome   string
	History   []entry
}

// entry is one notification of an order's page.
type entry struct {
	received
	JSON string
}

func (s *Shop) home(w http.ResponseWriter, r *http.Request) {
	s.renderHome(w, r, http.StatusOK, page{Amount: "10.00"})
}

func (s *Shop) renderHome(w http.ResponseWriter, r *http.Request, status int, p page) {
	p.Source = "/fragment"
	p.Title = "Demo shop"
	if p.Problem == "" {
		p.Refresh = 5
	}
	s.render(w, r, status, "home", s.listing(p))
}

func (s *Shop) listing(p page) page {
	items, turned := s.inbox.list(nil)
	p.Items, p.Total, p.Turned = items[:min(len(items), shown)], len(items), turned
	return p
}

// fragment is the live part of a page, as the script fetches it: the list, or an order's state.
func (s *Shop) fragment(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case q.Get("order") != "":
		s.render(w, r, http.StatusOK, "history", s.orderPage(q.Get("order")))
	case q.Get("reference") != "":
		s.render(w, r, http.StatusOK, "verdict", s.returnPage(q.Get("reference"), ""))
	default:
		s.render(w, r, http.StatusOK, "list", s.listing(page{}))
	}
}

func (s *Shop) order(w http.ResponseWriter, r *http.Request) {
	p := s.orderPage(chi.URLParam(r, "id"))
	p.Source = "/fragment?order=" + template.URLQueryEscaper(p.OrderID)
	p.Title = "Order"
	if !p.Known || !final(p.Latest.Status) {
		p.Refresh = 5
	}
	s.render(w, r, http.StatusOK, "order", p)
}

func (s *Shop) orderPage(id string) page {
	items, _ := s.inbox.list(func(r received) bool { return r.OrderID == id })
	p := page{OrderID: id, Total: len(items)}
	p.Latest, p.Known = latest(items)
	for _, r := range items {
		var pretty bytes.Buffer
		_ = json.Indent(&pretty, r.raw, "", "  ") // it was decoded before
		p.History = append(p.History, entry{r, pretty.String()})
	}
	return p
}

// comeBack is where the customer's browser lands after the payment page. Anybody can type this address, so what it
// says about the outcome is not believed.
func (s *Shop) comeBack(w http.ResponseWriter, r *http.Request) {
	reference := r.URL.Query().Get("reference")
	p := s.returnPage(reference, r.URL.Query().Get("outcome"))
	p.Source = "/fragment?reference=" + template.URLQueryEscaper(reference)
	p.Title = "Thank you"
	if reference == "" {
		p.Source = ""
	} else if !p.Known || !final(p.Latest.Status) {
		p.Refresh = 3
	}
	s.render(w, r, http.StatusOK, "return", p)
}

func (s *Shop) returnPage(reference, outcome string) page {
	p := page{Outcome: outcome}
	if reference != "" {
		items, _ := s.inbox.list(func(r received) bool { return r.Reference == reference && strings.HasPrefix(r.Type, "payment.") })
		p.Latest, p.Known = latest(items)
		p.OrderID = p.Latest.OrderID
	}
	return p
}

func (s *Shop) asset(w http.ResponseWriter, r *http.Request) {
	name := chi.URLParam(r, "name")
	if path.Ext(name) != ".css" && path.Ext(name) != ".js" {
		http.NotFound(w, r)
		return
	}
	http.ServeFileFS(w, r, assets, "assets/"+name) //nolint:gosec // assets is embedded and holds nothing else
}

// render writes a page, or a part of it, in the language of whoever asks.
func (s *Shop) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	l := locale.Of(w, r, "")
	p.Lang, p.Elsewhere = l.Lang(), s.cfg.Elsewhere
	var out bytes.Buffer
	if err := pages[l].ExecuteTemplate(&out, name, p); err != nil {
		s.cfg.Log.Error().Err(err).Str("page", name).Msg("demo shop: page cannot be made")
		http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// short returns the end of an id: the ends of ids made at the same time differ, their beginnings do not.
func short(id string) string {
	if len(id) <= 8 {
		return id
	}
	return "…" + id[len(id)-8:]
}

func final(status string) bool { return tone(status) == "good" || tone(status) == "bad" }

// tone is the class of a status's badge.
func tone(status string) string {
	switch status {
	case "succeeded":
		return "good"
	case "failed", "canceled":
		return "bad"
	case "unknown":
		return "unclear"
	}
	return "open"
}

// statuses are an order's statuses as a person reads them.
var statuses = map[string]string{
	"created":         "Created",
	"unknown":         "Unknown",
	"processing":      "Processing",
	"requires_action": "Action needed",
	"authorized":      "Authorized",
	"succeeded":       "Succeeded",
	"failed":          "Failed",
	"canceled":        "Canceled",
}
