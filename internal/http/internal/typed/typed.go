// Package typed holds the types that card data is decoded into: it turns from JSON into the types of package card with
// nothing in between. A value that is none is remembered as an error, so that all that is wrong can be told at once.
package typed

import "payrelay/internal/card"

// Number is a card number, or why it is none.
type Number struct {
	PAN card.PAN
	Err error
}

// UnmarshalText implements encoding.TextUnmarshaler. It never fails: Err says what is wrong, without the text.
func (n *Number) UnmarshalText(text []byte) error {
	n.PAN, n.Err = card.ParsePAN(string(text))
	return nil
}

// CVC is a card verification code, or why it is none.
type CVC struct {
	CVC card.CVC
	Err error
}

// UnmarshalText implements encoding.TextUnmarshaler. It never fails: Err says what is wrong, without the text.
func (c *CVC) UnmarshalText(text []byte) error {
	c.CVC, c.Err = card.ParseCVC(string(text))
	return nil
}
