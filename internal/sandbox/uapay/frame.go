package uapay

import (
	"encoding/json"
	"math/big"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/page"
)

// frame is a signed request to show the card frame (uapay.md 11). The
// places of its members inside the token are assumed: published clients have
// them in params. So is what page and frame say to each other, "Submit" and
// {name: "Success", payload}, and that a frame inside a page has no button.
type frame struct {
	merchant *Merchant
	method   string
	redirect bool
}

// frameOf verifies the token of a frame. The mutex is held.
func (t *Simulator) frameOf(token string) (frame, bool) {
	claims, _ := parse(peek(token)) // nil when it is no token
	s, ok := t.store.sessions.get(claims.object("params").text("sessionId"))
	m := t.merchants[s.client]
	if !ok || m == nil {
		return frame{}, false
	}
	m = m.signing(token)
	if _, err := verify(m.Key, token); err != nil {
		return frame{}, false
	}
	f := frame{merchant: m, method: "createCard"}
	for _, place := range []object{claims, claims.object("params"), claims.object("data")} {
		if place.has("method") {
			f.method = place.text("method")
		}
		if place["enableRedirectResponse"] == true {
			f.redirect = true
		}
	}
	return f, f.method == "createCard" || f.method == "createShortCard"
}

// framed lets other sites show a page inside theirs, which is a frame's purpose.
type framed struct{ http.ResponseWriter }

func (f framed) WriteHeader(status int) {
	h := f.Header()
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "frame-ancestors 'none'", "frame-ancestors *", 1))
	f.ResponseWriter.WriteHeader(status)
}

func (t *Simulator) frameView(r *http.Request, f frame) *view {
	return &view{
		Prefix: page.Prefix(r, "/api/"), Shop: f.merchant.Name, Frame: true, NoExpiry: f.method == "createShortCard",
		Action: page.Prefix(r, "/api/") + "/api/iframe/" + chi.URLParam(r, "jwt"), Cards: testCards(),
		Form: page.NewForm(),
	}
}

func (t *Simulator) renderFrame(w http.ResponseWriter, r *http.Request, name string, v *view, status int) {
	t.pages.Show(framed{w}, r, page.Page{Name: name, Title: "Save your card", Status: status, Data: v})
}

func (t *Simulator) openFrame(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.frameOf(chi.URLParam(r, "jwt"))
	if !ok {
		t.renderFrame(w, r, "missing", nil, http.StatusForbidden)
		return
	}
	v := t.frameView(r, f)
	t.fill(v, r)
	t.renderFrame(w, r, "form", v, http.StatusOK)
}

func (t *Simulator) submitFrame(w http.ResponseWriter, r *http.Request) {
	if !page.ReadForm(w, r) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.frameOf(chi.URLParam(r, "jwt"))
	if !ok {
		t.renderFrame(w, r, "missing", nil, http.StatusForbidden)
		return
	}
	v := t.frameView(r, f)
	digits := t.readCard(r, v)
	if digits == "" {
		t.renderFrame(w, r, "form", v, http.StatusUnprocessableEntity)
		return
	}
	card := newCard(f.merchant.ClientID, digits)
	t.store.cards.put(card.ID, card)
	// The cvv stands for the typed one, which is forgotten: the shop passes it on as securityCode.
	v.Added = base58([]byte(addedJSON(card)))
	v.Value["id"], v.Value["masked"] = card.ID, starred(card)
	if f.redirect {
		http.Redirect(w, r, v.Prefix+"/api/addcards/success?payload="+v.Added, http.StatusSeeOther)
		return
	}
	t.renderFrame(w, r, "added", v, http.StatusOK)
}

func (t *Simulator) openAdded(w http.ResponseWriter, r *http.Request) {
	t.pages.Show(w, r, page.Page{Name: "added", Title: "Card saved", Data: &view{Form: page.NewForm()}})
}

func addedJSON(c *Card) string {
	raw, _ := json.Marshal(struct { // plain values cannot fail
		ID     string `json:"id"`
		CVV    string `json:"cvv"`
		Masked string `json:"panMasked"`
	}{c.ID, "123", starred(c)})
	return string(raw)
}

func starred(c *Card) string {
	return c.Masked[:6] + "*" + c.Masked[6:]
}

const base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// base58 encodes bytes that do not begin with zero.
func base58(raw []byte) string {
	n, mod, base := new(big.Int).SetBytes(raw), new(big.Int), big.NewInt(58)
	var out []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, mod)
		out = append(out, base58Alphabet[mod.Int64()])
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}
