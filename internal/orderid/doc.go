// Package orderid makes the ids by which providers know our orders.
//
// An id is computed, not drawn: it is one AES block over the shop's number, the order's kind, the number of the attempt and a
// keyed hash of the shop, the kind and the shop's reference. So the same request has the same id after any loss, the provider
// recognizes a repeat, and we read from an id whose order it is. Without the key nobody guesses an id or reads one.
//
// It is written as "pr-" and 32 letters. Without digits nothing in it looks like a card number.
package orderid
