// Package routing decides by an operator's rules which accounts a payment may go to. It does no I/O: a set of rules, the facts of a
// payment and the shop's accounts give a decision, always the same one. See docs/routing.md.
package routing
