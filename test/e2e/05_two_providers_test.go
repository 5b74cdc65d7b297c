package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// One shop, two providers: what the shop sends differs in the account and its currency alone, and what it is told does not
// differ at all. The one exception is where a hold's card is typed: SmartCore holds money by flow direct only, and UAPAY
// takes cards on its own page only.
func TestOneShopTwoProviders(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	type provider struct {
		account, currency string
		paid, refused     string // cards
		hold              string // members of a request that holds money
	}
	providers := map[string]provider{
		"smartcore": {"EUR-sandbox", "EUR", cardSuccess, cardOther, `"flow":"direct","payment_method":` + cardMethod(cardSuccess)},
		"uapay":     {"UAH-sandbox", "UAH", uahSuccess, uahReject, `"flow":"hosted"`},
	}
	create := func(d uapayDev, p provider, reference, more string) full {
		body := fmt.Sprintf(`{"reference":%q,"account":%q,"amount":1000,"currency":%q,"description":"Socks","site_url":"https://shop.example",%s%s}`,
			reference, p.account, p.currency, more, customer)
		o := d.makes("/v1/payments", body, http.StatusCreated)
		require.Equal(d.t, "requires_action", o.Status)
		require.Equal(d.t, "redirect", o.NextAction.Type)
		return o
	}
	// pays is the customer.
	pays := func(d uapayDev, o full, card string) { d.pay(o.NextAction.URL, card, "") }

	flows := []struct {
		name  string
		drive func(d uapayDev, p provider, name string) full // returns the order that is told of
		types []string
	}{
		{"paid", func(d uapayDev, p provider, name string) full {
			o := create(d, p, name, "")
			pays(d, o, p.paid)
			end := d.ends(o.ID, "succeeded")
			require.EqualValues(d.t, 1000, end.AmountCaptured)
			return end
		}, []string{"payment.requires_action requires_action", "payment.succeeded succeeded"}},
		{"refused", func(d uapayDev, p provider, name string) full {
			o := create(d, p, name, "")
			pays(d, o, p.refused)
			end := d.ends(o.ID, "failed")
			require.Equal(d.t, "customer_may_retry", end.Failure.Advice)
			require.Zero(d.t, end.AmountCaptured)
			return end
		}, []string{"payment.requires_action requires_action", "payment.failed failed"}},
		{"held, captured in part", func(d uapayDev, p provider, name string) full {
			o := create(d, p, name, `"capture":"manual",`+p.hold+`,`)
			if p.hold == `"flow":"hosted"` {
				pays(d, o, p.paid)
			}
			require.EqualValues(d.t, 1000, d.ends(o.ID, "authorized").AmountAuthorized)
			end := d.makes(captureOf(o), `{"amount":400}`, http.StatusOK)
			require.Equal(d.t, "succeeded", end.Status)
			require.EqualValues(d.t, 400, end.AmountCaptured)
			return end
		}, []string{"payment.requires_action requires_action", "payment.authorized authorized", "payment.processing processing", "payment.succeeded succeeded"}},
		{"held, canceled", func(d uapayDev, p provider, name string) full {
			o := create(d, p, name, `"capture":"manual",`+p.hold+`,`)
			if p.hold == `"flow":"hosted"` {
				pays(d, o, p.paid)
			}
			d.ends(o.ID, "authorized")
			return d.makes(cancelOf(o), ``, http.StatusOK)
		}, []string{"payment.requires_action requires_action", "payment.authorized authorized", "payment.processing processing", "payment.canceled canceled"}},
		{"refunded", func(d uapayDev, p provider, name string) full {
			o := create(d, p, name, "")
			pays(d, o, p.paid)
			o = d.ends(o.ID, "succeeded")
			d.refuses(refundsOf(o), refund(name+"-x", 1001), http.StatusConflict, "refund_exceeds_captured")
			part := d.makes(refundsOf(o), refund(name+"-1", 300), http.StatusCreated)
			d.ends(part.ID, "succeeded")
			rest := d.makes(refundsOf(o), refund(name+"-2", 700), http.StatusCreated)
			end := d.ends(rest.ID, "succeeded")
			require.EqualValues(d.t, 1000, d.full(o.ID).AmountRefunded)
			require.Equal(d.t, "succeeded", d.full(o.ID).Status)
			return end
		}, []string{"refund.processing processing", "refund.succeeded succeeded"}},
	}
	all := scenarios{}
	for _, flow := range flows {
		for name, p := range providers {
			all[flow.name+" at "+name] = func(t *testing.T, d uapayDev) {
				o := flow.drive(d, p, strings.ReplaceAll(strings.ReplaceAll(flow.name, " ", "-"), ",", "")+"-"+name)
				var reported []string
				eventually(t, func() bool { reported = d.notificationsOf(o.ID); return len(reported) >= len(flow.types) })
				require.Equal(t, flow.types, reported)
			}
		}
	}
	d.atOnce(t, all)
}
