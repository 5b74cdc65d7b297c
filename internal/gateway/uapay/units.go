package uapay

import (
	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// The provider counts money in kopecks and names its one currency by number, here as a number and there as text
// (uapay.md 5). This file is the one place where that is said.

// currency is the only one that UAPAY knows.
const currency = money.Currency("UAH")

// currencyNumber is currency as a number, and currencyText the same as text.
var (
	currencyNumber = func() int64 {
		n, _ := currency.Numeric()
		return int64(n)
	}()
	currencyText = itoa(currencyNumber)
)

// kopecks is a sum as the provider counts it.
func kopecks(m money.Money) int64 { return m.Minor() }

// otherCurrency reports whether an answer names a currency that is not ours. Most name none.
func otherCurrency(name text) bool {
	return name != "" && string(name) != currencyText && string(name) != string(currency)
}

// money checks a sum.
func (f *fields) money(m money.Money) {
	if m.Currency() != currency {
		f.add("currency", "must be UAH: UAPAY takes no other")
	}
	if m.Minor() <= 0 {
		f.add("amount", "must be more than zero")
	}
}

// initiate is the beginning of a payment or payout of the engine of split payments, which takes the currency as text.
func initiate(ref gateway.Ref, description, callbackURL string) *initiateParams {
	return &initiateParams{
		ExternalID: ref.OrderID, Amount: kopecks(ref.Amount), Currency: currencyText, Description: description, CallbackURL: callbackURL,
	}
}
