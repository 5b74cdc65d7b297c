package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"
)

// card keeps a card at the provider, as its card frame does, and returns the id.
func (d uapayDev) card(number string) string {
	d.t.Helper()
	var c struct {
		ID string `json:"id"`
	}
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodPost, "/cards", map[string]any{"number": number}), &c))
	require.NotEmpty(d.t, c.ID)
	return c.ID
}

// storedCard is what a payment with a kept card has beyond others.
func storedCard(id, back string) string {
	return fmt.Sprintf(`"flow":"direct","payment_method":{"type":"stored_card","card_id":%q,"cvc":"739"},"return_urls":{"status":%q},%s`,
		id, back, browserInfo)
}

// charges pays with a kept card, server to server.
func (d uapayDev) charges(reference, number string, want int) full {
	d.t.Helper()
	return d.makes("/v1/payments", uah(reference, 1000, storedCard(d.card(number), d.ShopPage)), want)
}

// attempts is how often a code may still be tried, by the order's next_action.
func (d uapayDev) attempts(o full) int {
	d.t.Helper()
	var out struct {
		NextAction struct {
			Type         string `json:"type"`
			AttemptsLeft *int   `json:"attempts_left"`
		} `json:"next_action"`
	}
	d.call(http.MethodGet, "/v1/payments/"+o.ID, "", &out)
	require.Equal(d.t, "confirm_code", out.NextAction.Type)
	require.NotNil(d.t, out.NextAction.AttemptsLeft)
	return *out.NextAction.AttemptsLeft
}

// challenged posts the order's form to the bank, as the shop's page would make the browser do, and answers there. The
// browser comes back to the shop's page.
func (d uapayDev) challenged(o full, button string) {
	d.t.Helper()
	require.Equal(d.t, "requires_action", o.Status)
	form := formOf(o)
	require.NotEmpty(d.t, form.Get("PaReq"))
	term, err := url.Parse(form.Get("TermUrl"))
	require.NoError(d.t, err)
	require.Equal(d.t, d.ShopPage, term.Query().Get("redirect"), "the provider is told where the payer goes afterwards")
	require.Contains(d.t, d.bank(o, button), "Demo shop", "the payer is back at the shop")
}

// formOf is the form that a browser must post.
func formOf(o full) url.Values {
	form := url.Values{}
	for name, value := range o.NextAction.Fields {
		form.Set(name, value)
	}
	return form
}

// cardFrame is the address of the provider's card form, as a shop gets it.
func (d uapayDev) cardFrame(account, body string) string {
	d.t.Helper()
	var f struct {
		URL       string  `json:"url"`
		ExpiresAt *string `json:"expires_at"`
	}
	res := d.call(http.MethodPost, "/v1/accounts/"+account+"/card-frame", body, &f)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	require.True(d.t, strings.HasPrefix(f.URL, d.Sandbox+"/uapay/api/iframe/"), f.URL)
	require.Nil(d.t, f.ExpiresAt)
	return f.URL
}

// framedCard is what a page or an app reads out of the form's answer.
type framedCard struct{ ID, CVV, PANMasked string }

// fill types a card into the form of an app, and returns what the app reads out of the address that the form goes on to.
func (d uapayDev) fill(address string, form url.Values) framedCard {
	d.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.PostForm(address, form)
	require.NoError(d.t, err)
	require.NoError(d.t, res.Body.Close())
	require.Equal(d.t, http.StatusSeeOther, res.StatusCode)
	to, err := res.Location()
	require.NoError(d.t, err)
	require.True(d.t, strings.HasSuffix(to.Path, "/success"), to)
	return unpack(d.t, to.Query().Get("payload"))
}

// bank posts a transfer's form to the bank and answers there; it returns where the browser ends.
func (d uapayDev) bank(o full, button string) string {
	d.t.Helper()
	require.Equal(d.t, "post_form", o.NextAction.Type)
	page := d.submit(http.DefaultClient, o.NextAction.URL, formOf(o))
	return d.presses(http.DefaultClient, page, button).page
}
