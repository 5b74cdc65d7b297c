package uapay

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/locale"
	"payrelay/internal/sandbox/page"
)

func (t *Simulator) pageRoutes(r chi.Router) {
	r.Get("/payment/{id}", t.openPayment)
	r.Post("/payment/{id}", t.submitPayment)
	r.Get("/payment/{id}/lookup", t.openLookup)
	r.Post("/payment/{id}/lookup", t.submitLookup)
	r.Get("/payment/{id}/result", t.openResult)
	r.Get("/qr/{id}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, page.Prefix(r, "/qr/")+"/payment/"+chi.URLParam(r, "id"), http.StatusSeeOther)
	})
	r.Get("/api/acs/virtual/form", t.openACS)
	r.Post("/api/acs/virtual/form", t.openACS)
	r.Post("/api/payments/ecom/confirm", t.term)
	r.Get("/api/iframe/{jwt}", t.openFrame)
	r.Post("/api/iframe/{jwt}", t.submitFrame)
	r.Get("/api/addcards/success", t.openAdded)
}

// view is what the payer's templates get.
type view struct {
	page.Form
	Prefix  string
	Shop    string
	Order   Order
	Payment *Payment
	State   string
	Amount  *locale.Sum // nil for an open amount
	Cards   []testCard
	// Action is where the 3-D Secure page sends the bank's answer; MD goes with it.
	Action, MD string
	// Frame tells the card template that it saves a card and takes no payment.
	Frame, NoExpiry bool
	Added           string // base58 for the page around a frame
}

func (t *Simulator) view(o *Order, base string) *view {
	v := &view{
		Prefix: base, Order: o.clone(), State: o.Word(), Shop: t.merchants[o.ClientID].Name, Cards: testCards(),
		Form: page.NewForm(),
	}
	amount := o.Amount
	if p := o.Payment(); p != nil {
		v.Payment, amount = v.Order.Payment(), p.Amount+p.Commission
	} else if amount > 0 {
		amount += t.commission(amount)
	}
	if amount > 0 {
		v.Amount = hryvnia(amount)
	}
	return v
}

// pageInvoice finds the invoice of a page or answers 404. The mutex is held.
func (t *Simulator) pageInvoice(w http.ResponseWriter, r *http.Request) *Order {
	id := chi.URLParam(r, "id")
	o := t.store.orders[id]
	if o == nil || o.Kind != KindInvoice || o.ID != id {
		t.pages.Show(w, r, page.Page{Name: "missing", Title: "Payment not found", Status: http.StatusNotFound})
		return nil
	}
	return o
}

func (t *Simulator) openPayment(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.pageInvoice(w, r)
	if o == nil {
		return
	}
	base := page.Prefix(r, "/payment/")
	p := o.Payment()
	switch {
	case p != nil && !p.Terminal():
		t.step(w, r, o, p, base)
	case t.payable(o) == "":
		v := t.view(o, base)
		if p != nil { // reusable: the next payment begins afresh
			v.Payment, v.Amount = nil, nil
			if o.Amount > 0 {
				v.Amount = hryvnia(o.Amount + t.commission(o.Amount))
			}
		}
		t.fill(v, r)
		t.renderForm(w, r, o, v, 0)
	default:
		t.renderResult(w, r, o, base)
	}
}

// fill puts a test card into the form when its button asked for it.
func (t *Simulator) fill(v *view, r *http.Request) {
	v.Focus = "number"
	if !v.Frame && v.Amount == nil {
		v.Focus = "amount"
	}
	for _, c := range v.Cards {
		if c.Name == r.URL.Query().Get("test") {
			v.Value["number"], v.Value["expiry"], v.Value["cvc"] = c.Number, t.now().AddDate(3, 0, 0).Format("01/06"), "123"
			if v.Focus == "number" {
				v.Focus = "pay"
			}
		}
	}
}

// step sends the payer to what an unfinished payment waits for. The mutex is held.
func (t *Simulator) step(w http.ResponseWriter, r *http.Request, o *Order, p *Payment, base string) {
	switch p.Stage {
	case Stage3DS:
		http.Redirect(w, r, base+"/api/acs/virtual/form?payment="+p.ID, http.StatusSeeOther)
	case StageLookup:
		http.Redirect(w, r, base+"/payment/"+o.ID+"/lookup", http.StatusSeeOther)
	default:
		t.back(w, r, o, base)
	}
}

// back sends the payer to the shop or to the result page.
func (t *Simulator) back(w http.ResponseWriter, r *http.Request, o *Order, base string) {
	to := base + "/payment/" + o.ID + "/result"
	if o.Terminal() && o.RedirectURL != "" && t.settings.RedirectBack == "auto" {
		to = o.RedirectURL
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (t *Simulator) renderForm(w http.ResponseWriter, r *http.Request, o *Order, v *view, status int) {
	t.pages.Show(w, r, page.Page{
		Name: "form", Title: "Pay", Amount: v.Amount, FormTargets: []string{o.RedirectURL, t.cfg.BaseURL()}, Status: status, Data: v,
	})
}

func (t *Simulator) renderResult(w http.ResponseWriter, r *http.Request, o *Order, base string) {
	refresh := 0
	if p := o.Payment(); p != nil && p.Stage == StageOpen {
		refresh = 1
	}
	t.pages.Show(w, r, page.Page{Name: "result", Title: "Payment", Refresh: refresh, Data: t.view(o, base)})
}

func (t *Simulator) openResult(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.pageInvoice(w, r); o != nil {
		t.renderResult(w, r, o, page.Prefix(r, "/payment/"))
	}
}

func (t *Simulator) submitPayment(w http.ResponseWriter, r *http.Request) {
	if !page.ReadForm(w, r) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.pageInvoice(w, r)
	if o == nil {
		return
	}
	base := page.Prefix(r, "/payment/")
	if t.payable(o) != "" { // the button was pressed twice, or the invoice is over
		if p := o.Payment(); p != nil {
			t.step(w, r, o, p, base)
			return
		}
		t.renderResult(w, r, o, base)
		return
	}
	v := t.view(o, base)
	amount := o.Amount
	if amount == 0 {
		v.Value["amount"] = strings.TrimSpace(r.PostForm.Get("amount"))
		var ok bool
		if amount, ok = kopecks(v.Value["amount"]); !ok {
			v.Errors["amount"] = "Enter an amount, such as 120.50."
		}
	}
	digits := t.readCard(r, v)
	if digits == "" || v.Errors["amount"] != "" {
		if v.Errors["amount"] != "" {
			v.Focus = "amount"
		}
		t.renderForm(w, r, o, v, http.StatusUnprocessableEntity)
		return
	}
	card := newCard(o.ClientID, digits)
	t.store.cards.put(card.ID, card)
	p := t.newPayment(o, card, amount)
	p.hosted = true
	t.decide(o, p)
	t.step(w, r, o, p, base)
}

var amountRE = regexp.MustCompile(`^([0-9]{1,9})(?:[.,]([0-9]{1,2}))?$`)

// kopecks reads a typed amount of hryvnias.
func kopecks(s string) (int64, bool) {
	m := amountRE.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1]+(m[2] + "00")[:2], 10, 64)
	return n, err == nil && n > 0
}

// readCard reads a typed card and returns its digits, empty text if a field is wrong.
func (t *Simulator) readCard(r *http.Request, v *view) string {
	asked := []string{"number", "expiry", "cvc"}
	if v.NoExpiry {
		asked = asked[:1]
	}
	c, ok := v.ReadCard(r, t.now(), asked...)
	if !ok {
		return ""
	}
	return c.Digits
}

func (t *Simulator) openLookup(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.pageInvoice(w, r)
	if o == nil {
		return
	}
	base := page.Prefix(r, "/payment/")
	if p := o.Payment(); p == nil || p.Stage != StageLookup {
		http.Redirect(w, r, base+"/payment/"+o.ID, http.StatusSeeOther)
		return
	}
	t.renderLookup(w, r, o, t.view(o, base), 0)
}

func (t *Simulator) renderLookup(w http.ResponseWriter, r *http.Request, o *Order, v *view, status int) {
	t.pages.Show(w, r, page.Page{
		Name: "lookup", Title: "Enter the code", FormTargets: []string{o.RedirectURL, t.cfg.BaseURL()}, Status: status, Data: v,
	})
}

func (t *Simulator) submitLookup(w http.ResponseWriter, r *http.Request) {
	if !page.ReadForm(w, r) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.pageInvoice(w, r)
	if o == nil {
		return
	}
	base := page.Prefix(r, "/payment/")
	p := o.Payment()
	if p == nil || p.Stage != StageLookup {
		http.Redirect(w, r, base+"/payment/"+o.ID, http.StatusSeeOther)
		return
	}
	p.hosted = true
	if !t.lookup(o, p, strings.TrimSpace(r.PostForm.Get("code"))) && p.Stage == StageLookup {
		v := t.view(o, base)
		v.Errors["code"] = "This code is wrong."
		t.renderLookup(w, r, o, v, http.StatusUnprocessableEntity)
		return
	}
	t.step(w, r, o, p, base)
}
