// Package uapay is a stateful simulator of the payment provider UAPAY for development
// and tests: its JSON API, the pages a payer's browser sees, signed callbacks,
// and switches that make all of it misbehave. No money and no real card is ever
// involved.
//
// It is written from docs/providers/uapay.md alone and shares no code with the
// adapter that talks to it, so that a misreading on either side shows up as a
// failing test. One handler serves everything by path prefix:
//
//	/api/...               the API: sessions, invoicer, cards, payments/p2p, p2p/payments
//	/api/iframe/{jwt}      the frame in which a payer types a card
//	/api/acs/virtual/form  the 3-D Secure page of the pretended bank
//	/payment/{invoice}     the payer's page, its code page and its result page
//	/control/...           JSON control API: orders, requests, faults, settings
//	/                      the developer's page
//
// Much of the provider's behaviour is not documented. Where that is so the simulator
// chooses a default, Settings can often change it, and such fields say
// "assumed"; the error codes of InventedCodes are the simulator's own. The developer's
// page lists both.
//
// State lives in memory and is bounded. Outcomes that need time, timeouts and
// callbacks happen only while Run is active.
package uapay
