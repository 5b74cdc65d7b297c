package control

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// What can happen to an order afterwards. Each simulator knows some of these.
const (
	Refund             = "refund"              // made in the provider's cabinet
	Chargeback         = "chargeback"          // taken back by the card's bank, also what was refunded before
	LateSuccess        = "late_success"        // the money of a failed order moved after all
	LateRefund         = "late_refund"         // a refund that was refused is carried out after all
	ChargedTwice       = "charged_twice"       // the money moved once more, under another bank reference
	SubscriptionCharge = "subscription_charge" // the next charge of a subscription comes now
)

// Later is something that happens to an order afterwards, without a request of its merchant.
type Later struct {
	What string `json:"what"`
	// Amount is of a refund or chargeback, in minor units; 0 is all that can go back.
	Amount int64 `json:"amount"`
	// NoCallback keeps the callback back.
	NoCallback bool `json:"no_callback"`
}

// ErrNotNow says that a thing cannot happen to an order as it is; 409.
var ErrNotNow = errors.New("this cannot happen to the order as it is now")

// Share returns the sum of a refund or chargeback of which at most most can go back.
func (l Later) Share(most int64) (int64, error) {
	switch {
	case most <= 0:
		return 0, fmt.Errorf("%w: nothing is left of it", ErrNotNow)
	case l.Amount < 0 || l.Amount > most:
		return 0, fmt.Errorf("amount must be 1 to %d, or 0 for all of it", most)
	case l.Amount == 0:
		return most, nil
	}
	return l.Amount, nil
}

// LaterForm reads the form of the developer's page.
func LaterForm(f url.Values) Later {
	return Later{What: f.Get("what"), Amount: int64(Number(f, "amount")), NoCallback: f.Get("no_callback") != ""}
}

// Happen lets happen what the body says, and answers the order.
func Happen[D any](happen func(id string, what Later) error, find func(id string) (D, bool)) http.HandlerFunc {
	return Do(http.StatusOK, func(id string, in Later) (any, error) {
		if err := happen(id, in); err != nil {
			return nil, err
		}
		return shown(id, find)
	})
}

// shown is the order that the path names.
func shown[D any](id string, find func(id string) (D, bool)) (any, error) {
	d, ok := find(id)
	if !ok {
		return nil, ErrUnknownOrder
	}
	return d, nil
}
