// Package payment decides. It holds the order, the table of legal steps, the one method that judges every
// observation of an order, and the use cases of the service. It knows no SQL, no HTTP and no logger.
//
//	created ──► unknown ──► processing ◄──► requires_action ──► authorized ──► succeeded
//	   │           │             │                  │                │     └──► canceled, failed
//	   └───────────┴─────────────┴──────────────────┴────────────────┴──► succeeded, failed, canceled
//
// The road of every order: it is written down (created), then the provider is called with no transaction open, then
// the outcome is written down together with its history, its notification and its next status poll. A provider's
// answer, a callback, a status poll and an operator all go through Order.Record, which finds one of four
// verdicts: Apply, Repeat, Stale, Conflict.
//
// What a call to a provider can end in: accepted or refused (with evidence), not sent (safe to try again), unknown.
// Unknown is never turned into failed by a clock; it ends when the provider proves something, or when an operator
// decides with a reason.
package payment
