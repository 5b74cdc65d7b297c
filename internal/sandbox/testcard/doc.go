// Package testcard holds what every provider simulator needs to know about card
// numbers: the Luhn check, the brand, and how a number is masked. The simulators keep
// no full number: it is judged on arrival and only its mask stays.
package testcard
