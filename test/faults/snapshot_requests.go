package faults

import (
	"encoding/json"
	"strings"
)

// Request is what a shop asked for, as the shop wrote it. It is kept before it is sent, whatever is answered.
type Request struct {
	Shop      string
	Kind      string // of the order; capture or cancel
	Reference string // empty for a capture and a cancel
	Order     string // our id of the payment that is captured, canceled, refunded or charged again
	Amount    int64  // minor units; 0 for all that is held, for a cancel and for a payout card
	Currency  string // empty where the request follows the payment's
	Manual    bool   // the money is to be held first
	Cascade   string // the declines after which it may go to another account
}

// View is what one answer of 2xx showed of an order.
type View struct {
	Shop, Order, Kind, Reference, Status string
	HTTP, Sequence                       int
	Amount                               int64
	Currency                             string
	Authorized, Captured, Refunded       int64
}

// Refusal is an answer of 4xx, or "accepted" where one of 4xx was due.
type Refusal struct {
	Name     string // the request's reference, or its path
	Status   int
	Code     string
	Expected []string // codes that the shop's script allows
	// Order is our id of the order that was captured, canceled or given a code, and While the status that it had to have.
	Order, While string
}

// on says which order a refused request was about.
func (f Refusal) on(path, while string) Refusal {
	if parts := strings.Split(path, "/"); len(parts) > 3 { // /v1/payments/ID/…
		f.Order, f.While = parts[3], while
	}
	return f
}

// accepted stands for the code of a request that was not refused.
const accepted = "accepted"

// Probe is one order that was asked for through one replica after everything was over.
type Probe struct {
	Replica int
	What    string
	Trouble string // why it did not come to its good end; empty if it did
}

// requestOf reads what a POST asks for. It reports false for what moves no money.
func requestOf(shop, path, body string) (Request, bool) {
	var b struct {
		Reference, Currency, Account, Capture string
		Amount                                int64
		Attempts                              struct{ Cascade string }
	}
	if body != "" && json.Unmarshal([]byte(body), &b) != nil {
		return Request{}, false
	}
	q := Request{Shop: shop, Reference: b.Reference, Amount: b.Amount, Currency: b.Currency, Manual: b.Capture == "manual", Cascade: b.Attempts.Cascade}
	parts := strings.Split(strings.TrimPrefix(path, "/v1/"), "/")
	if len(parts) == 3 && parts[0] == "payments" {
		q.Order, q.Kind = parts[1], map[string]string{"refunds": "refund", "charges": "payment", "capture": "capture", "cancel": "cancel"}[parts[2]]
	} else if len(parts) == 1 {
		q.Kind = map[string]string{"payments": "payment", "payouts": "payout", "payout-cards": "payout_card", "transfers": "transfer"}[parts[0]]
	}
	if q.Kind == "payout" && q.Currency == "" {
		q.Currency, _, _ = strings.Cut(b.Account, "-") // the run's accounts are named by their currency
	}
	return q, q.Kind != ""
}
