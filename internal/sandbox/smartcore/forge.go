package smartcore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/names"
	"payrelay/internal/sandbox/record"
)

// The variants of a callback that can be sent by hand or by a fault. The F
// variants carry a genuine signature over the same list of values under other
// keys (smartcore.md 11.5).
const (
	VariantGenuine        = "genuine"
	VariantReplay         = "replay"          // the last callback once more, byte for byte
	VariantWrongSignature = "wrong_signature" // 64 hex digits that do not fit
	VariantWrongSecret    = "wrong_secret"    // signed with another secret
	VariantUnsigned       = "unsigned"        // no sign field
	VariantTampered       = "tampered"        // claims success, signature of the true state
	VariantEarlySuccess   = "early_success"   // properly signed status 2 whatever the state is
)

// forgery tells how one F variant is made: the fields the provider would sign
// after a customer typed hostile names, and the keys under which the same values
// are sent instead.
type forgery struct {
	overrides func(victim string, o *Order) []Pair
	keys      string
	// merged puts all values beyond the last key into it.
	merged bool
}

const coreKeys = "amount authorize_status cascadeErrors currency eci finalAmount firstName isTrustedTransaction lastName message orderId rrn status type"

var forgeries = map[string]forgery{
	"F01": {
		keys: "amount authorize_status cascadeErrors currency eci finalAmountX firstName isTrustedTransaction lastName message orderId rrn status type",
		overrides: func(_ string, o *Order) []Pair {
			return []Pair{{"status", "2"}, {"type", "Payment"}, {"finalAmount", strconv.FormatInt(max(1, o.Amount/1000), 10)}}
		},
	},
	"F02": {
		keys: "amount authorize_status cascadeErrors currency eci errorNote finalAmount orderId rrn status t0 t1 t2 t3 type",
		overrides: func(victim string, _ *Order) []Pair {
			return []Pair{
				{"status", "-1"},
				{"type", "Payment"},
				{"firstName", victim},
				{"lastName", "2"},
				{"errorCategory", CodeInsufficientFunds},
				{"rrn", "null"},
				{"eci", "null"},
			}
		},
	},
	"F03": {keys: coreKeys + " z", merged: true, overrides: separators},
	"F04": {keys: coreKeys + " z0 z1 z2 z3 z4 z5 z6", overrides: separators},
	"F05": {
		keys: "amount authorize_status cascadeErrors currency eci finalAmount firstName isTrustedTransaction lastName message orderId rrn status typeOf",
		overrides: func(string, *Order) []Pair {
			return []Pair{{"status", "2"}, {"type", "Refund"}}
		},
	},
	"F06": {
		keys: "amount authorize_status cascadeErrors currency eci finalAmount firstName isTrustedTransaction orderId paymentPhoneNumber paymentPhoneOperator rrn status type",
		overrides: func(victim string, _ *Order) []Pair {
			return []Pair{{"status", "2"}, {"type", "Payment"}, {"firstName", "Mallory"}, {"lastName", victim}, {"eci", "05"}}
		},
	},
	"F07": {
		keys: "amount authorize_status card_exp_month cascadeErrors currency eci errorCategory finalAmount firstName isTrustedTransaction lastName message orderId paymentPhoneNumber paymentPhoneOperator rrn status type",
		overrides: func(_ string, o *Order) []Pair {
			typed := "EUR"
			if o.Currency == "EUR" {
				typed = "USD"
			}
			return []Pair{
				{"status", "2"},
				{"type", "Payment"},
				{"card_holder", typed},
				{"card_number", "401200******3010"},
				{"card_exp_month", "02"},
				{"card_exp_year", "27"},
				{"eci", "05"},
			}
		},
	},
	"F08": {
		keys: "amount authorize_status cascadeErrors currency eci errorCategoryOld finalAmount firstName isTrustedTransaction lastName message orderId rrn status type",
		overrides: func(string, *Order) []Pair {
			return []Pair{{"status", "-1"}, {"type", "Withdrawal"}, {"errorCategory", "LIMIT_PROCESSING_ERROR"}, {"rrn", "null"}}
		},
	},
	"F09": {
		keys: "amount authorize_status cascadeErrors currency eci finalAmount firstName isTrustedTransaction lastName message orderId paymentPhoneOperator rrn status type",
		overrides: func(victim string, _ *Order) []Pair {
			return []Pair{
				{"status", "2"},
				{"type", "Payment"},
				{"firstName", "true"},
				{"lastName", "Mallory"},
				{"message", victim},
				{"errorCategory", "null"},
				{"eci", "null"},
			}
		},
	},
}

func separators(victim string, _ *Order) []Pair {
	return []Pair{
		{"status", "-1"},
		{"type", "Payment"},
		{"firstName", "Ann|false|Lee|null|" + victim + "|null|2|Payment"},
		{"lastName", "Doe"},
		{"rrn", "null"},
		{"eci", "null"},
	}
}

// Variants lists every callback variant.
func Variants() []string {
	list := []string{
		VariantGenuine, VariantReplay, VariantWrongSignature, VariantWrongSecret, VariantUnsigned, VariantTampered, VariantEarlySuccess,
	}
	for name := range forgeries {
		list = append(list, name)
	}
	slices.Sort(list[7:])
	return list
}

// relabel puts the values of a signed list of fields, in their signed order,
// under other keys. The signature stays valid because keys are not signed.
func relabel(signed []Pair, keys []string, merged bool) []Pair {
	sorted := slices.Clone(signed)
	slices.SortStableFunc(sorted, func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	values := make([]string, 0, len(sorted))
	for _, p := range sorted {
		values = append(values, p.Value)
	}
	n := -1
	if merged {
		n = len(keys)
	}
	parts := strings.SplitN(strings.Join(values, "|"), "|", n)
	out := make([]Pair, 0, len(keys))
	for i, k := range keys {
		if i < len(parts) {
			out = append(out, Pair{k, parts[i]})
		}
	}
	return out
}

// CallbackRequest describes a callback to send by hand.
type CallbackRequest struct {
	// Variant is one of Variants; empty means genuine.
	Variant string `json:"variant"`
	// Victim is the order id that a forged body tries to credit; empty means the order itself.
	Victim string `json:"victim,omitempty"`
	// Status overrides the status of the variants genuine, wrong_* and unsigned.
	Status *int `json:"status,omitempty"`
	// Fields replaces or adds fields of the same variants before they are signed; one whose value is empty is left out.
	Fields map[string]string `json:"fields,omitempty"`
	// URL overrides the order's callback_url.
	URL string `json:"url,omitempty"`
	// Times is the number of concurrent deliveries; 0 means 1.
	Times int `json:"times,omitempty"`
}

// SendCallback queues a callback for an order whatever its state is.
func (t *Simulator) SendCallback(id string, req CallbackRequest) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := names.Check("callback variant", cmp.Or(req.Variant, VariantGenuine), Variants()); err != nil {
		return fmt.Errorf("send callback of %s: %w", id, err)
	}
	o := t.orders.anyMerchant(id)
	switch {
	case o == nil:
		return fmt.Errorf("send callback of %s: %w", id, ErrUnknownOrder)
	case o.CallbackURL == "" && req.URL == "":
		return fmt.Errorf("send callback of %s: the order has no callback_url", id)
	case req.Times < 0 || req.Times > 100:
		return fmt.Errorf("send callback of %s: times must be 0 to 100", id)
	}
	cb := t.build(o, req)
	for range max(1, req.Times) {
		t.enqueue(o, cb, 0)
	}
	return nil
}

// build makes the body of a callback. The mutex is held.
func (t *Simulator) build(o *Order, req CallbackRequest) Callback {
	variant, to := cmp.Or(req.Variant, VariantGenuine), cmp.Or(req.URL, o.CallbackURL)
	if variant == VariantReplay {
		for _, old := range slices.Backward(o.Callbacks) {
			if old.Variant == VariantGenuine {
				return Callback{Variant: variant, Status: old.Status, Fields: old.Fields, Delivery: callback.To(to, old.Body())}
			}
		}
	}
	pairs, sign := t.content(o, req, variant)
	if variant != VariantUnsigned {
		pairs = append(pairs, Pair{"sign", sign})
	}
	fields := make(map[string]string, len(pairs))
	for _, p := range pairs {
		fields[p.Key] = record.Text(p.Value)
	}
	return Callback{Variant: variant, Status: fields["status"], Fields: fields, Delivery: callback.To(to, encode(pairs))}
}

// content makes the fields of a callback and the signature that is sent with them.
func (t *Simulator) content(o *Order, req CallbackRequest, variant string) (pairs []Pair, sign string) {
	secret := t.secretOf(o)
	if f, ok := forgeries[variant]; ok {
		return forge(f, o, req.Victim, secret)
	}
	pairs = genuine(o)
	if req.Status != nil {
		pairs = replace(pairs, []Pair{{"status", strconv.Itoa(*req.Status)}})
	}
	for _, key := range slices.Sorted(maps.Keys(req.Fields)) {
		if pairs = without(pairs, key); req.Fields[key] != "" {
			pairs = append(pairs, Pair{key, req.Fields[key]})
		}
	}
	success := []Pair{{"status", "2"}}
	sign = Sign(secret, pairs)
	switch variant {
	case VariantWrongSignature:
		sign = strings.Repeat("0123456789abcdef", 4)
	case VariantWrongSecret:
		sign = Sign(secret+"-other", pairs)
	case VariantTampered:
		pairs = replace(without(pairs, "errorCategory"), success)
	case VariantEarlySuccess:
		pairs = replace(without(pairs, "errorCategory"), success)
		sign = Sign(secret, pairs)
	}
	return pairs, sign
}

func forge(f forgery, o *Order, victim, secret string) ([]Pair, string) {
	if victim == "" {
		victim = o.OrderID
	}
	signed := slices.DeleteFunc(genuine(o), func(p Pair) bool { return !strings.Contains(" "+coreKeys+" ", " "+p.Key+" ") })
	signed = replace(signed, append([]Pair{{"cascadeErrors", "null"}, {"authorize_status", "null"}}, f.overrides(victim, o)...))
	return relabel(signed, strings.Fields(f.keys), f.merged), Sign(secret, signed)
}

// replace sets fields, adding those that are missing.
func replace(pairs, with []Pair) []Pair {
	out := slices.Clone(pairs)
	for _, w := range with {
		if i := slices.IndexFunc(out, func(p Pair) bool { return p.Key == w.Key }); i >= 0 {
			out[i].Value = w.Value
		} else {
			out = append(out, w)
		}
	}
	return out
}

func without(pairs []Pair, key string) []Pair {
	return slices.DeleteFunc(slices.Clone(pairs), func(p Pair) bool { return p.Key == key })
}
