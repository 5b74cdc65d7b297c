// Package detect finds card numbers in texts, however they are written.
//
// A text is decoded, its digits are joined over spaces and punctuation, and what then has the prefix, length and check digit of
// a card is a candidate. Ten of a hundred numbers have a right check digit by chance, so a candidate alone is Ambiguous. It is
// Evident if something else says that it is a card: the way it is grouped or hidden, a word or an expiry beside it.
//
// Not found: twelve digits, digits with letters or more than three other characters between them, number words, and encodings
// not named in decode.go and codes.go.
package detect
