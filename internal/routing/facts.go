package routing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"payrelay/internal/bintable"
)

// Facts are what rules may ask about a payment or payout. There is no card number, no name and no address among them: a BIN is at most eight
// digits, and the keys of sticky splits are keyed hashes. An empty text is a fact that is not known.
type Facts struct {
	Shop      string `json:"shop"`
	Kind      string `json:"kind"`
	Currency  string `json:"currency"`
	Amount    int64  `json:"amount"` // minor units
	Flow      string `json:"flow"`
	Capture   string `json:"capture"`
	Method    string `json:"method,omitempty"`
	Recurring bool   `json:"recurring,omitempty"`
	CardBIN   string `json:"card.bin,omitempty"`
	CardBrand string `json:"card.brand,omitempty"`
	// CardCountry is where the card was issued, as the BIN table said. CustomerCountry is that of the address. Both are ISO 3166 alpha-2.
	CardCountry     string            `json:"card.country,omitempty"`
	CustomerCountry string            `json:"customer.country,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	// CustomerKey and OrderKey are what splits keep together.
	CustomerKey string `json:"customer_key,omitempty"`
	OrderKey    string `json:"order_key,omitempty"`
}

// The fields of conditions that hold texts. Those of metadata come after them, in the order of Set.keys.
const (
	fieldShop = iota
	fieldKind
	fieldCurrency
	fieldFlow
	fieldCapture
	fieldMethod
	fieldRecurring
	fieldBIN
	fieldBrand
	fieldCardCountry
	fieldCountry
	fixedFields
)

// fieldNames are what rules call the fields.
var fieldNames = [fixedFields]string{"shop", "kind", "currency", "flow", "capture", "method", "recurring", "card.bin", "card.brand", "card.country", "customer.country"}

// The words of fields that have few.
const (
	kindPayment = "payment"
	kindPayout  = "payout"
	yes         = "true"
	no          = "false"
	hosted      = "hosted"
	direct      = "direct"
	automatic   = "automatic"
	mobile      = "mobile"
	methodCard  = "card"
)

// The methods of each kind.
var (
	paymentMethods = []string{methodCard, "apple_pay", "google_pay", "stored_card", mobile}
	payoutMethods  = []string{methodCard, "payout_card", "phone", "bank_account"}
)

var fieldWords = [fixedFields][]string{
	fieldKind:      {kindPayment, kindPayout},
	fieldFlow:      {hosted, direct},
	fieldCapture:   {automatic, "manual"},
	fieldMethod:    slices.Concat(paymentMethods, payoutMethods[1:]),
	fieldRecurring: {yes, no},
}

// texts are the facts in the order of the fields, with those of metadata keys.
func (f *Facts) texts(keys []string) []string {
	texts := make([]string, fixedFields+len(keys))
	recurring := no
	if f.Recurring {
		recurring = yes
	}
	copy(texts, []string{f.Shop, f.Kind, f.Currency, f.Flow, f.Capture, f.Method, recurring, f.CardBIN, f.CardBrand, f.CardCountry, f.CustomerCountry})
	for i, key := range keys {
		texts[fixedFields+i] = f.Metadata[key]
	}
	return texts
}

// Kept are the facts that the set may ask for, which is what is stored with a decision.
func (s *Set) Kept(f Facts) Facts {
	kept := f
	kept.Metadata = nil
	for _, key := range s.keys {
		if value, ok := f.Metadata[key]; ok {
			if kept.Metadata == nil {
				kept.Metadata = map[string]string{}
			}
			kept.Metadata[key] = value
		}
	}
	kept.CardBIN = f.CardBIN[:min(len(f.CardBIN), s.binDigits)]
	if !s.asksCardCountry {
		kept.CardCountry = ""
	}
	return kept
}

// Located are the facts with the country of the card, if the rules ask for it and nobody has said it yet.
func (s *Set) Located(f Facts, bins *bintable.Table) Facts {
	if s.asksCardCountry && f.CardCountry == "" {
		f.CardCountry = bins.Country(f.CardBIN)
	}
	return f
}

// ParseFacts reads facts as a decision shows them. A payment of no flow, kind or capture is a hosted payment, captured at once.
func ParseFacts(body []byte) (Facts, error) {
	f := Facts{Kind: kindPayment, Flow: hosted, Capture: automatic}
	o, err := readJSON(body)
	if err != nil {
		return f, fmt.Errorf("the file with facts %w", err)
	}
	var names []string
	for i := range reflect.TypeFor[Facts]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[Facts]().Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	var p parser
	p.known("", o, names)
	if len(p.problems) > 0 {
		return f, fmt.Errorf("the file with facts: %s", p.problems[0])
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("the file with facts: %w", err)
	}
	for i, text := range f.texts(nil) {
		if problem := badValue(i, text); problem != "" {
			return f, fmt.Errorf("the file with facts: %s: %s", fieldNames[i], problem)
		}
	}
	return f, nil
}
