package uapay

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/page"
	"payrelay/internal/sandbox/recipe"
)

// consoleRoutes is the developer's page. Forms that another site's page
// sends are rejected.
func (t *Simulator) consoleRoutes(root chi.Router) {
	root.Group(func(r chi.Router) {
		r.Use(control.SameOrigin)
		r.Get("/", t.showConsole)
		r.Get("/orders/{id}", t.showOrder)
		r.Get("/console/frame", t.showFrame)
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
	Clients   []Merchant
	Orders    []Order
	Detail    detail
	Endpoints []string
	Variants  []string
	Outcomes  []Outcome
	Later     []string
	JSON      string
	Recipes   []recipe.Recipe // that are on
	Cards     []testCard
	Invented  []Invented
	Known     []string
	Assumed   []string
}

// documented and assumed are the lists that the developer's page shows.
var documented = []string{
	"Envelope of params, data, iat and token; HS256 with the key as text; signed answers for clients with a key",
	"Clock window of 20 seconds (TIMELIMIT_ERROR), FORMAT_ERROR with fields and REQUIRED",
	"Paths and fields of invoices, invoice payments, classic P2P, C2A and A2C",
	"The words of status and paymentStatus, swapped between checkStatus and show",
	"3-D Secure hand-over by form and TermUrl; LOOKUP confirmation by code with a count of attempts",
	"complete lowers the sum by params.amount; reverse takes a part by data.amount",
	"C2A and A2C: automatic cancel after an hour, OPEN with a CANCELED operation, reverse in two steps",
	"Callback as one token, claims in this order up to payDate, five more tries after 5 s, 5 min, 1 h, 2 h, 24 h",
}

var assumed = []string{
	"The test cards and their outcomes; cards outside the table are rejected",
	"All error codes of the table below, and HTTP 200 for errors (error_status)",
	"That outer params and data must equal those in the token (outer_must_match)",
	"Session lifetime of a day (session_ttl_ms); a two-sided clock window",
	"A repeated externalId makes a second invoice (unique_external_id)",
	"LOOKUP: a wrong code is an error, after the last attempt the payment is REJECTED",
	"Abandoned challenges, holds nobody completed and cancelled holds become CANCELED; when a hold ends (hold_ttl_ms)",
	"An invoice that nobody pays stays payable unless its payExpiresAt or invoice_ttl_ms says otherwise; it then becomes INACTIVE, without a callback",
	"A partial refund leaves FINISHED and sends no callback; several are allowed (partial_reverse, partial_reverse_once)",
	"A refund in the cabinet and a chargeback look like a reverse; a chargeback may go beyond what is left; a second charge is a second payment of the invoice",
	"After complete the amount is the captured sum (capture_changes_amount)",
	"Which statuses send callbacks: FINISHED, HOLDED, REJECTED, CANCELED, CLOSED, REVERSED; claims have no iat (callback_iat)",
	"invoices/cancel and c2a/reverse/complete exist at these paths; transfers send the same callback claims",
	"The finished payer goes back to redirectUrl at once (redirect_back)",
	"The member names of frame requests, its submit message, when subscriptions charge",
}

type testCard struct{ Number, Name, Does string }

func testCards() []testCard {
	return []testCard{
		{"4111 1111 1111 1111", "success", "succeeds at once"},
		{"5454 5454 5454 5454", "challenge", "asks for 3-D Secure; you choose"},
		{"4000 0000 0000 0101", "lookup", "asks for the code 123456"},
		{"4000 0000 0000 0002", "decline", "is rejected"},
		{"4000 0000 0000 0119", "pending", "stays pending"},
		{"4000 0000 0000 0127", "cancel", "is canceled"},
		{"4000 0000 0000 0135", "close", "is closed without success"},
	}
}

func (t *Simulator) console(r *http.Request, marker string) *consoleView {
	return &consoleView{
		Console: t.Console(r, marker, t.cfg.Hosts), Recipes: recipe.Listed(t.cfg.Recipes), Clients: t.cfg.Merchants,
		Orders: t.Orders(100), Endpoints: append(Endpoints(), fault.AtCallback), Variants: Variants(),
		Outcomes: Outcomes(), Later: Afterwards(), Cards: testCards(), Invented: InventedCodes(), Known: documented, Assumed: assumed,
	}
}

func (t *Simulator) showConsole(w http.ResponseWriter, r *http.Request) {
	t.pages.Show(w, r, page.Page{Name: "console", Title: "UAPAY simulator", Wide: true, Data: t.console(r, "")})
}

// showFrame opens the card frame as a merchant's page would: within a session, by a signed request.
func (t *Simulator) showFrame(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	m, id := t.merchants[t.cfg.Merchants[0].ClientID], newID()
	t.store.sessions.put(id, session{client: m.ClientID, created: t.now()})
	t.mu.Unlock()
	raw, _ := json.Marshal(map[string]any{ // plain values cannot fail
		"params": map[string]any{"sessionId": id}, "data": map[string]any{"method": "createCard"}, "iat": t.cfg.Clock.Real().Unix(),
	})
	http.Redirect(w, r, page.Prefix(r, "/console/")+"/api/iframe/"+Sign(m.Key, raw), http.StatusSeeOther)
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
	t.pages.Show(w, r, page.Page{Name: "order", Title: "Order " + d.ExternalID, Wide: true, Data: v})
}
