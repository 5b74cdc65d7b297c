package smartcore

import (
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/page"
	"payrelay/internal/sandbox/recipe"
	"payrelay/internal/sandbox/testcard"
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
		r.Post("/console/later", control.Form(func(f url.Values) error { return t.Later(f.Get("id"), control.LaterForm(f)) }))
		r.Post("/console/callback", control.Form(func(f url.Values) error {
			return t.SendCallback(f.Get("id"), CallbackRequest{Variant: f.Get("variant"), Victim: f.Get("victim"), Times: control.Number(f, "times")})
		}))
		control.HostForms(r, t.cfg.Hosts)
		control.Forms(r, t.switches)
	})
}

// consoleView is what the console's templates get.
type consoleView struct {
	control.Console
	Merchants []Merchant
	Cards     []TestCard
	Orders    []Order
	Detail    detail
	Endpoints []string
	Variants  []string
	Outcomes  []Outcome
	Later     []string
	JSON      string
	Recipes   []recipe.Recipe // that are on
}

func (t *Simulator) console(r *http.Request, marker string) *consoleView {
	return &consoleView{
		Console: t.Console(r, marker, t.cfg.Hosts), Recipes: recipe.Listed(t.cfg.Recipes), Merchants: t.cfg.Merchants, Cards: declines(), Orders: t.Orders(100), Variants: Variants(),
		Endpoints: append(Endpoints(), fault.AtCallback),
		Later:     Afterwards(),
		Outcomes:  append(Outcomes(), CodeInsufficientFunds, "DO_NOT_HONOUR_PROCESSING_ERROR", "TECHNICAL_PROCESSING_ERROR"),
	}
}

// declines are the cards that the page lists; the payment form shows those that pay.
func declines() (cards []TestCard) {
	for _, d := range Declines {
		cards = append(cards, TestCard{testcard.Spaced(d.Number), "is declined: " + d.Does})
	}
	return append(cards, TestCard{"any other", "the setting decline_code"})
}

func (t *Simulator) showConsole(w http.ResponseWriter, r *http.Request) {
	t.pages.Show(w, r, page.Page{Name: "console", Title: "SmartCore simulator", Wide: true, Data: t.console(r, "")})
}

func (t *Simulator) showOrder(w http.ResponseWriter, r *http.Request) {
	d, ok := t.detail(chi.URLParam(r, "id"))
	if !ok {
		t.pages.Show(w, r, page.Page{Name: "missing", Title: "No such order", Status: http.StatusNotFound})
		return
	}
	v := t.console(r, "/orders/")
	v.Detail = d
	v.JSON = control.Indented(d.Requests)
	t.pages.Show(w, r, page.Page{Name: "order", Title: "Order " + d.OrderID, Wide: true, Data: v})
}
