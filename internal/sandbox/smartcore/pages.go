package smartcore

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/locale"
	"payrelay/internal/sandbox/page"
	"payrelay/internal/sandbox/recipe"
)

func (t *Simulator) pageRoutes(r chi.Router) {
	r.Get("/payment/{id}", t.showPayment)
	r.Post("/payment/{id}", t.submitPayment)
	r.Post("/payment/{id}/term", t.term)
	r.Get("/payment/{id}/result", t.showResult)
	r.Get("/acs/{id}", t.showACS)
	r.Post("/acs/{id}", t.submitACS)
}

// formView is what the form and 3-D Secure templates get.
type formView struct {
	page.Form
	Order    Order
	Shop     string
	Amount   *locale.Sum // nil for tokenization
	Prefix   string
	TermForm bool
	Results  map[string]string
}

// reasons say to customers what the codes mean that they can do something about.
var reasons = map[string]string{
	CodeEmitterDenial:                "Your bank declined. Try another card, or ask your bank.",
	"DO_NOT_HONOUR_PROCESSING_ERROR": "Your bank declined. Try another card, or ask your bank.",
	CodeInsufficientFunds:            "There is too little money for this sum.",
	"LIMIT_PROCESSING_ERROR":         "The sum is beyond a limit of your bank.",
	CodeAuthentication:               "Your bank could not confirm that it is you.",
	CodeFormTimeout:                  "The time ran out. Begin again at the shop.",
	CodeRedirectTimeout:              "The time ran out. Begin again at the shop.",
	Code3DSTimeout:                   "The time ran out. Begin again at the shop.",
	Code3DSCancel:                    "You canceled at your bank.",
	CodeCardTimeLimit:                "This card was used a moment ago. Try again in a minute.",
	CodeProcessing:                   "Something went wrong at the provider. Try again later.",
}

// Reason says to the customer why the order failed.
func (v *formView) Reason() string { return cmp.Or(reasons[v.Order.Error], reasons[CodeProcessing]) }

func (t *Simulator) view(o *Order, prefix string) *formView {
	shop := t.merchants[o.Merchant].Name
	if o.Site != "" {
		shop = strings.TrimPrefix(strings.TrimPrefix(o.Site, "https://"), "http://")
	}
	if shop == "" {
		shop = "Merchant"
	}
	v := &formView{Order: o.clone(), Shop: shop, Form: page.NewForm(), Prefix: prefix}
	if o.Operation != OpTokenize {
		v.Amount = &locale.Sum{Minor: o.Amount, Currency: o.Currency}
	}
	return v
}

// pageOrder finds the order of a page or answers 404. The mutex is held.
func (t *Simulator) pageOrder(w http.ResponseWriter, r *http.Request) *Order {
	o := t.orders.byProcessing[chi.URLParam(r, "id")]
	if o == nil || o.Back() {
		t.pages.Show(w, r, page.Page{Name: "missing", Title: "Payment not found", Status: http.StatusNotFound})
		return nil
	}
	return o
}

func (t *Simulator) showPayment(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.pageOrder(w, r)
	if o == nil {
		return
	}
	base := page.Prefix(r, "/payment/")
	switch o.Stage {
	case StageForm:
		v := t.view(o, base)
		switch r.URL.Query().Get("test") {
		case "success":
			v.Value["number"] = "4012 0000 0000 3010"
		case "challenge":
			v.Value["number"] = "4003 8301 7187 4018"
		case "decline":
			v.Value["number"] = "4111 1111 1111 1111"
		}
		v.Focus = "number"
		if v.Value["number"] != "" {
			v.Value["expiry"], v.Value["cvc"], v.Value["holder"] = t.now().AddDate(3, 0, 0).Format("01/06"), "123", holderOf(o)
			v.Focus = "pay"
		}
		v.Value["phone"] = o.Phone
		t.renderForm(w, r, o, v, 0)
	case StageRedirect, StageACS:
		http.Redirect(w, r, base+"/acs/"+o.ProcessingID, http.StatusSeeOther)
	case StageProcessing:
		t.pages.Show(w, r, page.Page{Name: "result", Title: "Processing your payment", Refresh: 1, Data: t.view(o, base)})
	default:
		if o.Operation != OpForm && o.Operation != OpMobile && o.Operation != OpTokenize && shopURL(o) != "" {
			http.Redirect(w, r, shopURL(o), http.StatusSeeOther)
			return
		}
		t.renderResult(w, r, o, base)
	}
}

func holderOf(o *Order) string {
	if name := strings.TrimSpace(o.FirstName + " " + o.LastName); name != "" {
		return name
	}
	return "Test Customer"
}

func (t *Simulator) renderForm(w http.ResponseWriter, r *http.Request, o *Order, v *formView, status int) {
	name, title := "form", "Pay"
	switch o.Operation {
	case OpMobile:
		name = "mobile"
	case OpTokenize:
		title = "Save your card"
	default:
	}
	t.pages.Show(w, r, page.Page{
		Name: name, Title: title, Amount: v.Amount, FormTargets: []string{o.SuccessURL, o.FailURL, t.cfg.BaseURL()}, Status: status, Data: v,
	})
}

func (t *Simulator) renderResult(w http.ResponseWriter, r *http.Request, o *Order, base string) {
	t.pages.Show(w, r, page.Page{Name: "result", Title: "Payment", Data: t.view(o, base)})
}

func (t *Simulator) showResult(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.pageOrder(w, r); o != nil {
		t.renderResult(w, r, o, page.Prefix(r, "/payment/"))
	}
}

// shopURL is where the customer goes back to; empty when the shop named nothing.
func shopURL(o *Order) string {
	if o.Status == StatusSuccess {
		return o.SuccessURL
	}
	return o.FailURL
}

// back sends the customer to the shop or, without an address, to the result page.
func (t *Simulator) back(w http.ResponseWriter, r *http.Request, o *Order, base string) {
	to := base + "/payment/" + o.ProcessingID + "/result"
	if o.Terminal() && shopURL(o) != "" {
		to = shopURL(o)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (t *Simulator) submitPayment(w http.ResponseWriter, r *http.Request) {
	if !page.ReadForm(w, r) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.pageOrder(w, r)
	if o == nil {
		return
	}
	base := page.Prefix(r, "/payment/")
	if o.Stage != StageForm { // the button was pressed twice, or the form is over
		t.back(w, r, o, base)
		return
	}
	v := t.view(o, base)
	if o.Operation == OpMobile {
		v.Value["phone"] = r.PostForm.Get("phone")
		if !phoneRE.MatchString("+" + digitsOnly(v.Value["phone"])) {
			v.Errors["phone"], v.Focus = "Enter the phone number with 7 to 15 digits.", "phone"
			t.renderForm(w, r, o, v, http.StatusUnprocessableEntity)
			return
		}
		o.Phone = digitsOnly(v.Value["phone"])
		t.enter(o, StageProcessing, StatusProcessing)
		t.settle(o)
		t.back(w, r, o, base)
		return
	}
	card := t.readCard(r, v)
	if card == nil {
		t.renderForm(w, r, o, v, http.StatusUnprocessableEntity)
		return
	}
	o.Card = card
	switch {
	case t.cardTooSoon(card):
		t.fail(o, CodeCardTimeLimit, nil)
	case t.challenges(o):
		t.enter(o, StageACS, StatusProcessing)
		http.Redirect(w, r, base+"/acs/"+o.ProcessingID, http.StatusSeeOther)
		return
	default:
		t.enter(o, StageProcessing, StatusProcessing)
		t.settle(o)
	}
	t.back(w, r, o, base)
}

// readCard reads a typed card, nil if a field is wrong.
func (t *Simulator) readCard(r *http.Request, v *formView) *Card {
	c, ok := v.ReadCard(r, t.now(), "number", "expiry", "cvc", "holder")
	if !ok {
		return nil
	}
	return newCard(c.Digits, c.Holder, twoDigits(c.Month), twoDigits(c.Year))
}

func twoDigits(n int) string {
	s := "0" + strconv.Itoa(n)
	return s[len(s)-2:]
}

// The answers of the 3-D Secure page.
var acsOutcomes = map[string]Outcome{"success": "success", "fail": CodeAuthentication, "cancel": "cancel"}

func (t *Simulator) showACS(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.pageOrder(w, r); o != nil {
		t.openACS(w, r, o, false)
	}
}

func (t *Simulator) openACS(w http.ResponseWriter, r *http.Request, o *Order, posted bool) {
	base := page.Prefix(r, "/acs/")
	if o.Stage == StageRedirect {
		t.enter(o, StageACS, StatusProcessing)
	}
	if o.Stage != StageACS {
		http.Redirect(w, r, base+"/payment/"+o.ProcessingID, http.StatusSeeOther)
		return
	}
	v := t.view(o, base)
	v.TermForm, v.Results = posted, map[string]string{}
	for name := range acsOutcomes {
		v.Results[name] = base64.StdEncoding.EncodeToString([]byte("PARes " + name))
	}
	t.pages.Show(w, r, page.Page{
		Name: "acs", Title: "Confirm your payment", FormTargets: []string{o.SuccessURL, o.FailURL, t.cfg.BaseURL()}, Data: v,
	})
}

// submitACS takes the customer's answer, or the shop's hand-over with PaReq or creq.
func (t *Simulator) submitACS(w http.ResponseWriter, r *http.Request) {
	if !page.ReadForm(w, r) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.pageOrder(w, r)
	if o == nil {
		return
	}
	base := page.Prefix(r, "/acs/")
	given := r.PostForm.Get("outcome")
	outcome, known := acsOutcomes[given]
	switch {
	case r.PostForm.Get("PaReq") != "" || r.PostForm.Get("creq") != "":
		t.openACS(w, r, o, true)
	case given == "close": // walks away; the timeout decides
		http.Redirect(w, r, base+"/payment/"+o.ProcessingID+"/result", http.StatusSeeOther)
	case !known:
		http.Error(w, "unknown outcome", http.StatusBadRequest)
	default:
		t.answerACS(o, outcome)
		t.back(w, r, o, base)
	}
}

// term is the return address of 3-D Secure 1 and 2: it takes the bank's answer
// and sends the customer back to the shop.
func (t *Simulator) term(w http.ResponseWriter, r *http.Request) {
	if !page.ReadForm(w, r) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.pageOrder(w, r)
	if o == nil {
		return
	}
	said := r.PostForm.Get("PaRes")
	if said == "" {
		said = r.PostForm.Get("cres")
	}
	raw, err := base64.StdEncoding.DecodeString(said)
	outcome, known := acsOutcomes[strings.TrimPrefix(string(raw), "PARes ")]
	if err != nil || !known {
		http.Error(w, "unknown answer of the bank", http.StatusBadRequest)
		return
	}
	t.answerACS(o, outcome)
	t.back(w, r, o, page.Prefix(r, "/payment/"))
}

func (t *Simulator) answerACS(o *Order, outcome Outcome) {
	if o.Stage != StageACS {
		return
	}
	switch {
	case outcome == "success" && o.is(recipe.FailsAuthentication):
		outcome = CodeAuthentication
	case outcome == "success":
		o.Card.behaviour = behaviourSuccess
	}
	_ = t.complete(o, outcome) // not terminal, outcome known
}
