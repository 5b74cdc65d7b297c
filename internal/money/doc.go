// Package money holds sums as integers in the minor unit of an ISO 4217 currency.
//
// There are no fractions anywhere in payrelay: 10.00 EUR is Money{1000, "EUR"}, 10 JPY is Money{10, "JPY"}.
// The package is a leaf: it imports nothing of payrelay.
package money
