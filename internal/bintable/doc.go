// Package bintable says in which country a card was issued, by the first digits of its number. The table comes from a list that operators
// import. It does no I/O. See docs/routing.md.
package bintable
