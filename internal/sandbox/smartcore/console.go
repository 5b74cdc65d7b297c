package smartcore

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/page"
)

// consoleRoutes is the developer's page. Forms that another site's page
// sends are rejected.
func (t *Simulator) consoleRoutes(root chi.Router) {
	root.Group(func(r chi.Router) {
		r.Use(control.SameOrigin)
		r.Get("/", t.showConsole)
		r.Get("/orders/{id}", t.showOrder)
		r.Post("/console/complete", control.Form(func(f url.Values) error {
			return t.Complete(f.Get("id"), Outcome(f.Get("outcome")))
		}))
		r.Post("/console/callback", control.Form(func(f url.Values) error {
			return t.SendCallback(f.Get("id"), CallbackRequest{Variant: f.Get("variant"), Victim: f.Get("victim"), Times: control.Number(f, "times")})
		}))
		control.Forms(r, t.switches)
	})
}

// consoleView is what the console's templates get.
type consoleView struct {
	control.Console
	Key       string
	Orders    []Order
	Detail    detail
	Endpoints []string
	Variants  []string
	Outcomes  []string
	JSON      string
}

func (t *Simulator) console(r *http.Request, marker string) *consoleView {
	return &consoleView{
		Console: t.Console(r, marker), Key: t.cfg.Merchants[0].Key, Orders: t.Orders(100), Variants: Variants(),
		Endpoints: []string{
			"initPayment", "initPaymentHost2Host", "authorize", "capture", "cancel", "check", "refund", "recurrent",
			"withdrawal/tokenize-form", "withdrawal/init", "withdrawal/balance/get", "callback",
		},
		Outcomes: []string{
			"success", "fail", "cancel", "form_timeout", "redirect_timeout", "3ds_timeout", "hold_expired", CodeInsufficientFunds,
			"DO_NOT_HONOUR_PROCESSING_ERROR", "TECHNICAL_PROCESSING_ERROR",
		},
	}
}

func (t *Simulator) showConsole(w http.ResponseWriter, r *http.Request) {
	t.pages.Show(w, page.Page{Name: "console", Title: "SmartCore sandbox", Wide: true, Data: t.console(r, "")})
}

func (t *Simulator) showOrder(w http.ResponseWriter, r *http.Request) {
	d, ok := t.detail(chi.URLParam(r, "id"))
	if !ok {
		t.pages.Show(w, page.Page{Name: "missing", Title: "No such order", Status: http.StatusNotFound})
		return
	}
	v := t.console(r, "/orders/")
	v.Detail = d
	v.JSON = control.Indented(d.Requests)
	t.pages.Show(w, page.Page{Name: "order", Title: "Order " + d.OrderID, Wide: true, Data: v})
}
