package uapay

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"payrelay/internal/sandbox/page"
)

// The answers of the virtual bank's page.
var acsOutcomes = map[string]Outcome{"success": "success", "fail": "fail", "cancel": "cancel"}

// openACS is the virtual bank's page. A browser gets there with the form of a
// challenge (PaReq, MD and TermUrl, all from uapay.md 8.3) or, on the
// provider's own pages, with the payment's id in the address.
func (t *Simulator) openACS(w http.ResponseWriter, r *http.Request) {
	if !page.ReadForm(w, r) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	base := page.Prefix(r, "/api/")
	id := r.URL.Query().Get("payment")
	if raw, err := verify("virtual acs", r.PostForm.Get("PaReq")); err == nil {
		claims, _ := parse(raw) // ours
		id = claims.text("id")
	}
	o := t.store.orders[id]
	if o == nil || o.payment(id) == nil {
		t.pages.Show(w, r, page.Page{Name: "missing", Title: "Payment not found", Status: http.StatusNotFound})
		return
	}
	p := o.payment(id)
	action := r.PostForm.Get("TermUrl")
	switch own := t.ownTerm(r, action, p); {
	case action != "" && !own:
		http.Error(w, "TermUrl is not the address that the provider named", http.StatusBadRequest)
		return
	case r.PostForm.Get("MD") != "" && r.PostForm.Get("MD") != p.md:
		http.Error(w, "MD does not belong to this payment", http.StatusBadRequest)
		return
	case action == "":
		path := "/api/payments/ecom/confirm?id="
		if o.Kind != KindInvoice {
			path = "/api/payments/p2p/confirm?id="
		}
		action = base + path + p.ID + "&key=" + url.QueryEscape(p.key)
	}
	if p.Stage != Stage3DS {
		t.leave(w, r, o, p, action, base)
		return
	}
	v := t.view(o, base)
	v.Payment, v.Amount, v.Action, v.MD = p, hryvnia(p.Amount+p.Commission), action, p.md
	t.pages.Show(w, r, page.Page{
		Name: "acs", Title: "Confirm your payment", Locale: p.Locale, Data: v,
		FormTargets: []string{o.RedirectURL, p.ReturnURL, t.cfg.BaseURL(), action, returnOf(action)},
	})
}

// ownTerm reports whether a TermUrl leads to this simulator and names the payment.
func (t *Simulator) ownTerm(r *http.Request, term string, p *Payment) bool {
	u, err := url.Parse(term)
	if err != nil || u.Query().Get("id") != p.ID {
		return false
	}
	address, _, _ := strings.Cut(term, "?")
	own := t.baseURL(r) + "/api/payments/"
	return address == own+"ecom/confirm" || address == own+"p2p/confirm"
}

// returnOf is the merchant's return address inside a TermUrl.
func returnOf(term string) string {
	u, err := url.Parse(term)
	if err != nil || !webAddress(u.Query().Get("redirect")) {
		return ""
	}
	return u.Query().Get("redirect")
}

// apiOrTerm tells the bank's form from an API call at the one address that both use.
func (t *Simulator) apiOrTerm(api http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			t.term(w, r)
			return
		}
		api(w, r)
	}
}

// term is where TermUrl leads: it takes the bank's answer, finishes the payment
// and sends the payer on.
func (t *Simulator) term(w http.ResponseWriter, r *http.Request) {
	if !page.ReadForm(w, r) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	id, key := r.URL.Query().Get("id"), r.URL.Query().Get("key")
	o := t.store.orders[id]
	if o == nil || o.payment(id) == nil {
		t.pages.Show(w, r, page.Page{Name: "missing", Title: "Payment not found", Status: http.StatusNotFound})
		return
	}
	p := o.payment(id)
	raw, err := base64.StdEncoding.DecodeString(r.PostForm.Get("PaRes"))
	outcome, known := acsOutcomes[strings.TrimPrefix(string(raw), "PARes ")]
	switch {
	case err != nil || !known:
		http.Error(w, "unknown answer of the bank", http.StatusBadRequest)
		return
	case key != "" && subtle.ConstantTimeCompare([]byte(key), []byte(p.key)) != 1:
		http.Error(w, "key is not the payment's", http.StatusBadRequest)
		return
	case p.Stage == Stage3DS && outcome == "success":
		t.confirmed(o, p)
	case p.Stage == Stage3DS:
		t.apply(o, p, outcome)
	}
	t.leave(w, r, o, p, r.URL.String(), page.Prefix(r, "/api/"))
}

// leave sends a payer who is done with the bank to the merchant.
func (t *Simulator) leave(w http.ResponseWriter, r *http.Request, o *Order, p *Payment, term, base string) {
	to := returnOf(term)
	if to == "" {
		to = p.ReturnURL
	}
	switch {
	case to != "":
		http.Redirect(w, r, to, http.StatusSeeOther)
	case o.Kind == KindInvoice:
		t.back(w, r, o, base)
	default:
		t.renderResult(w, r, o, base)
	}
}
