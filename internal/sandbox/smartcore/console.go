package smartcore

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/page"
)

// consoleRoutes is the developer's page. Its forms are refused when another
// site's page sends them.
func (t *Twin) consoleRoutes(root chi.Router) {
	root.Group(func(r chi.Router) {
		r.Use(sameOrigin)
		r.Get("/", t.showConsole)
		r.Get("/orders/{id}", t.showOrder)
		r.Post("/console/complete", t.consoleDo(func(f url.Values) error {
			return t.Complete(f.Get("id"), Outcome(f.Get("outcome")))
		}))
		r.Post("/console/callback", t.consoleDo(func(f url.Values) error {
			return t.SendCallback(f.Get("id"), CallbackRequest{Variant: f.Get("variant"), Victim: f.Get("victim"), Times: number(f, "times")})
		}))
		r.Post("/console/faults", t.consoleDo(func(f url.Values) error {
			_, err := t.AddFault(fault.Fault{
				Kind: fault.Kind(f.Get("kind")), Endpoint: f.Get("endpoint"), OrderID: f.Get("order_id"), Count: number(f, "count"),
				DelayMS: number(f, "delay_ms"), Variant: f.Get("variant"),
			})
			return err
		}))
		r.Post("/console/faults/remove", t.consoleDo(func(f url.Values) error {
			if f.Get("id") == "" {
				t.ClearFaults()
			} else {
				t.RemoveFault(f.Get("id"))
			}
			return nil
		}))
		r.Post("/console/settings", t.consoleDo(func(f url.Values) error { return t.patchSettings([]byte(f.Get("settings"))) }))
	})
}

func number(f url.Values, key string) int {
	n, _ := strconv.Atoi(f.Get(key)) // an empty field is zero
	return n
}

// consoleView is what the console's templates get.
type consoleView struct {
	Prefix    string
	Message   string
	Key       string
	Orders    []Order
	Detail    detail
	Faults    []fault.Fault
	Kinds     []fault.Kind
	Endpoints []string
	Variants  []string
	Outcomes  []string
	Settings  string
	JSON      string
}

func (t *Twin) console(r *http.Request, marker string) *consoleView {
	base := r.URL.Path
	if marker != "" {
		base = prefix(r, marker)
	}
	settings, _ := json.MarshalIndent(t.Settings(), "", "  ") // plain values cannot fail
	return &consoleView{
		Prefix: trimSlash(base), Message: r.URL.Query().Get("message"), Key: t.cfg.Merchants[0].Key, Orders: t.Orders(100),
		Faults: t.Faults(), Kinds: fault.All, Variants: Variants(), Settings: string(settings),
		Endpoints: []string{
			"initPayment", "initPaymentHost2Host", "authorize", "capture", "cancel", "check", "refund", "recurrent",
			"withdrawal/tokenize-form", "withdrawal/init", "withdrawal/balance/get", "callback",
		},
		Outcomes: []string{
			"success", "fail", "cancel", "form_timeout", "redirect_timeout", "3ds_timeout", CodeInsufficientFunds,
			"DO_NOT_HONOUR_PROCESSING_ERROR", "TECHNICAL_PROCESSING_ERROR",
		},
	}
}

func trimSlash(s string) string {
	if n := len(s); n > 0 && s[n-1] == '/' {
		return s[:n-1]
	}
	return s
}

func (t *Twin) showConsole(w http.ResponseWriter, r *http.Request) {
	t.render(w, page.Page{Name: "console", Title: "SmartCore sandbox", Wide: true, Data: t.console(r, "")})
}

func (t *Twin) showOrder(w http.ResponseWriter, r *http.Request) {
	d, ok := t.detail(chi.URLParam(r, "id"))
	if !ok {
		t.render(w, page.Page{Name: "missing", Title: "No such order", Status: http.StatusNotFound})
		return
	}
	v := t.console(r, "/orders/")
	v.Detail = d
	raw, _ := json.MarshalIndent(d.Requests, "", "  ") // plain values cannot fail
	v.JSON = string(raw)
	t.render(w, page.Page{Name: "order", Title: "Order " + d.OrderID, Wide: true, Data: v})
}

// consoleDo runs an action and goes back to the page it was started from.
func (t *Twin) consoleDo(action func(url.Values) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "bad form", http.StatusBadRequest)
			return
		}
		to := prefix(r, "/console/") + "/"
		if id := r.PostForm.Get("back"); id != "" {
			to += "orders/" + url.PathEscape(id)
		}
		message := "Done."
		if err := action(r.PostForm); err != nil {
			message = "Not done: " + err.Error()
		}
		http.Redirect(w, r, to+"?message="+url.QueryEscape(message), http.StatusSeeOther)
	}
}
