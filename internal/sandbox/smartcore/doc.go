// Package smartcore is a stateful simulator of the payment provider SmartCore for
// development and tests: its three API hosts, the pages a customer's browser
// sees, signed callbacks, and switches that make all of it misbehave. No money
// and no real card is ever involved.
//
// It is written from docs/providers/smartcore.md alone and shares no code with the
// adapter that talks to it, so that a misreading on either side shows up as a
// failing test. One handler serves everything by path prefix:
//
//	/pci/...        calls that may carry card data
//	/gateway/...    all other calls; card data is rejected here
//	/reporting/...  the transaction export
//	/payment/{id}   the customer's payment form and result page
//	/acs/{id}       the 3-D Secure page of the pretended bank
//	/control/...    JSON control API: orders, requests, faults, settings
//	/               the developer's page
//
// Where that page leaves behaviour open, the simulator chooses a default and
// Settings can change it; such fields say "inferred".
//
// State lives in memory and is bounded. Outcomes that need time, timeouts of
// pages and callbacks happen only while Run is active.
package smartcore
