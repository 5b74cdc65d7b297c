// Package uapay speaks the UAPAY HTTP API as docs/providers/uapay.md describes it. Comments cite its sections.
// It translates and never decides: what the provider said becomes a gateway.Result, and everything that leaves the
// outcome open becomes an error of a kind that says so.
//
// The files: adapter.go opens accounts, client.go sends calls and sorts answers, session.go keeps the session, sign.go
// seals and opens tokens, wire.go holds the provider's spelling, status.go the meaning of its words, errors.go that of
// its errors, units.go its money. payments.go, c2a.go, holds.go, codes.go, refunds.go, invoices.go, transfers.go and
// payouts.go build the calls, fields.go checks them, fetch.go asks about payments, callback.go reads callbacks, frame.go
// makes addresses of the card form. golden_test.go plays every documented example of a call that payrelay makes.
//
// Much about this provider is known only from its clients' code. What the documents leave open, and what is done here:
//   - Error codes are unknown but for three. An unlisted code proves that nothing happened only where the call itself
//     moves no money; elsewhere the outcome is unknown and the order is asked about (errors.go). After a capture or cancel
//     the hold that is shown a moment later settles it only beside a code whose words decline (holds.go).
//   - How a lost session is told is unknown. A field error on sessionId, or a code with the word SESSION in it, counts
//     as that, because a call without a session cannot have been carried out (session.go).
//   - Two vocabularies of status swap their member names between methods (uapay.md 8.9). The decoder puts them in order once,
//     and checks the words themselves (status.go).
//   - Acknowledgements of complete, cancel and reverse change nothing by themselves: the payment is read again. Right after
//     a command a hold that stands reads as processing, when it is asked about later as held.
//   - What a payment shows after a partial refund is unknown. One that was acknowledged over our signature, for a payment
//     that is still there, counts as done; one whose answer was lost stays unknown until the whole payment is reversed.
//   - A payment, transfer or payout that was reversed reads as succeeded and wholly refunded; a hold as canceled.
//   - How much went back of a split payment is its returnAmount, or the sum of its RETURN operations: either may be
//     missing, and the larger one counts. A part of it leaves a payment that goes on processing.
//   - Direct payments are payments on an invoice, which take cards kept by the provider only. An account may have them go
//     by the newer engine instead (setting direct_engine), which takes card numbers too, cannot hold money, and gives back
//     all or nothing; its refunds are operations under our own id, and can be followed (c2a.go).
//   - A card's payment of that engine whose completion was not answered is processing and followed by its id: it is there,
//     and lapses after an hour if the completion never arrived.
//   - What was initiated and then declined is cancelled at once instead of waiting out its hour.
//   - An amount never includes the commission, which is the payer's; it is stored as provider data.
//   - Subscriptions are charged by the provider's own schedule, and every charge carries the first order's id. Their
//     callbacks always need verification. Nothing charges on demand.
//   - Where the members of a card form's request stand is undocumented, as is whether it names the client or a session. They
//     stand where published clients have them, and both are named. For how long the address works is unknown (frame.go).
//   - How soon an order can be seen, and for how long, is undocumented: two minutes and 30 days are assumptions.
//   - iat of answers is not judged: their signature is, and a clock that is off shows as TIMELIMIT_ERROR.
package uapay
