package control

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/page"
)

// Forms adds switches to the developer's page: /console/faults, /console/faults/remove and /console/settings.
func Forms[S Validated](r chi.Router, s *Switches[S]) {
	r.Post("/console/faults", form(func(f url.Values) (string, error) {
		added := fault.Fault{
			Kind: fault.Kind(f.Get("kind")), Endpoint: f.Get("endpoint"), OrderID: f.Get("order_id"), Count: Number(f, "count"),
			DelayMS: Number(f, "delay_ms"), Variant: f.Get("variant"), Code: f.Get("code"),
		}
		_, err := s.AddFault(added)
		return s.waiting(added), err
	}))
	r.Post("/console/faults/remove", Form(func(f url.Values) error {
		if f.Get("id") == "" {
			s.ClearFaults()
		} else {
			s.RemoveFault(f.Get("id"))
		}
		return nil
	}))
	r.Post("/console/settings", Form(func(f url.Values) error { return s.patch([]byte(f.Get("settings"))) }))
}

// Form is a form of the developer's page under /console/: it does what action says and goes back to the page it was
// sent from, with the error if there is one.
func Form(action func(url.Values) error) http.HandlerFunc {
	return form(func(f url.Values) (string, error) { return "", action(f) })
}

// form is Form of an action that has something to say.
func form(action func(url.Values) (warning string, err error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !page.ReadForm(w, r) {
			return
		}
		to := page.Prefix(r, "/console/") + "/"
		if id := r.PostForm.Get("back"); id != "" {
			to += "orders/" + url.PathEscape(id)
		}
		warning, err := action(r.PostForm)
		message := strings.TrimSpace("Done. " + warning)
		if err != nil {
			message = "Not done: " + err.Error()
		}
		http.Redirect(w, r, to+"?message="+url.QueryEscape(message), http.StatusSeeOther)
	}
}

// Number is a field that holds a number; an empty one is zero.
func Number(f url.Values, key string) int {
	n, _ := strconv.Atoi(f.Get(key))
	return n
}
