package faults

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"payrelay/internal/sandbox"
	sent "payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
)

// Call is a request to a provider that may move money, as a simulator saw it.
type Call struct {
	Provider, Endpoint string
	Order              string // what the order is called at the provider; of a refund, its payment
	Reference          string // of a refund of SmartCore, as it travelled in its reason
	At                 time.Time
	Spoiled            bool // a fault of the simulator met it: its answer was lost, late or unreadable
}

// Forgery is a callback that a simulator sent without a signature that holds, and one answer to it.
type Forgery struct {
	Provider, Order, Variant string
	Status                   int
}

// moneyCalls are the calls that make an order or move money. Checks and codes may be sent again; these may not, because
// no provider promises to take a repeat for one.
var moneyCalls = map[string][]string{
	"smartcore": {
		"initPayment", "initPaymentHost2Host", "authorize", "recurrent", "withdrawal/tokenize-form", "withdrawal/init", "capture", "cancel", "refund",
	},
	"uapay": {
		"invoicer/invoices/create", "invoicer/payments/create", "invoicer/payments/complete", "invoicer/payments/cancel", "invoicer/payments/reverse",
		"payments/p2p/direct/create", "p2p/payments/a2c/initiate", "p2p/payments/a2c/complete",
	},
}

// calls reads the requests that may move money from both simulators' logs.
func calls(simulators *sandbox.Sandbox) (all []Call) {
	for provider, list := range map[string][]record.Request{"smartcore": simulators.SmartCore().Requests(""), "uapay": simulators.UAPAY().Requests("")} {
		for _, q := range list {
			if q.OrderID == "" || !slices.Contains(moneyCalls[provider], q.Endpoint) || sessionLost(q) {
				continue
			}
			one := Call{
				Provider: provider, Endpoint: q.Endpoint, Order: q.OrderID, At: q.At,
				Spoiled: q.Status == 0 || slices.ContainsFunc(q.Faults, func(k string) bool { return slices.Contains(fault.HTTP, fault.Kind(k)) }),
			}
			if provider == "smartcore" && q.Endpoint == "refund" {
				one.Reference = fmt.Sprint(q.Fields["reason"])
			}
			all = append(all, one)
		}
	}
	return all
}

// sessionLost reports whether UAPAY did nothing because it did not know the session. Such a call is repeated with a new one.
func sessionLost(q record.Request) bool {
	e, _ := q.Answer["error"].(map[string]any)
	return e != nil && slices.Contains([]any{uapay.CodeSessionNotFound, uapay.CodeSessionExpired}, e["code"])
}

// forgeries lists the answers to callbacks whose signature does not hold.
func forgeries(simulators *sandbox.Sandbox) (all []Forgery) {
	add := func(provider, order, variant string, d *sent.Delivery) {
		for _, a := range d.Attempts {
			if a.Status != 0 {
				all = append(all, Forgery{provider, order, variant, a.Status})
			}
		}
	}
	secrets := map[string]string{}
	for _, m := range smartcore.DefaultMerchants() {
		secrets[m.Key] = m.Secret
	}
	for _, m := range uapay.DefaultMerchants() {
		secrets[m.ClientID] = m.Key
	}
	for _, o := range simulators.SmartCore().Orders(0) {
		for _, c := range o.Callbacks {
			if !smartcoreSigned(c.Body(), secrets[o.Merchant]) {
				add("smartcore", o.OrderID, c.Variant, &c.Delivery)
			}
		}
	}
	for _, o := range simulators.UAPAY().Orders(0) {
		for _, c := range o.Callbacks {
			if !uapaySigned(c.Body(), secrets[o.ClientID]) {
				add("uapay", o.ExternalID, c.Variant, &c.Delivery)
			}
		}
	}
	return all
}

// smartcoreSigned reports whether a callback's signature holds. That of a tampered one does if what it claims is true.
func smartcoreSigned(body, secret string) bool {
	form, err := url.ParseQuery(body)
	if err != nil {
		return false
	}
	var pairs []smartcore.Pair
	for key, values := range form {
		pairs = append(pairs, smartcore.Pair{Key: key, Value: values[0]})
	}
	return form.Get("sign") == smartcore.Sign(secret, pairs)
}

func uapaySigned(body, key string) bool {
	var sealed struct{ Token string }
	if json.Unmarshal([]byte(body), &sealed) != nil {
		return false
	}
	parts := strings.Split(sealed.Token, ".")
	if len(parts) != 3 {
		return false
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil && sealed.Token == uapay.Sign(key, claims)
}

// requestLine is the first line of a request on a connection.
var requestLine = regexp.MustCompile(`(?:POST|GET) /(\S+) HTTP/1\.1\r\n`)

// carries reports whether what a client sent over a connection has a name in a request, whole or not, to one of the endpoints. Asking
// about an order is none: it may be asked about while it goes elsewhere.
func carries(sent []byte, name string, endpoints []string) bool {
	lines := requestLine.FindAllSubmatchIndex(sent, -1)
	for i, at := range lines {
		end := len(sent)
		if i+1 < len(lines) {
			end = lines[i+1][0]
		}
		path := string(sent[at[2]:at[3]])
		if bytes.Contains(sent[at[1]:end], []byte(name)) && slices.ContainsFunc(endpoints, func(e string) bool { return strings.HasSuffix(path, "/"+e) }) {
			return true
		}
	}
	return false
}

// reading reads the provider's records and ours.
func (r *run) reading(ctx context.Context) (*Reading, error) {
	b, err := readDatabase(ctx, r.direct)
	return &Reading{Effects: ledger(r.simulators), Rows: b.Rows}, err
}

// witness adds to the snapshot what the simulators and processes have seen to the end.
func (r *run) witness(b *Snapshot) (err error) {
	b.Calls, b.Forgeries, b.Injections = calls(r.simulators), forgeries(r.simulators), r.injections.all()
	b.Carried = map[string]bool{}
	for _, m := range r.merchants {
		for _, sent := range m.host.Sent() {
			for _, row := range b.Rows {
				for _, a := range row.Ended {
					b.Carried[a.ProviderOrderID] = b.Carried[a.ProviderOrderID] || carries(sent, a.ProviderOrderID, moneyCalls[m.provider])
				}
			}
		}
	}
	b.Exits, err = r.exits()
	return err
}
