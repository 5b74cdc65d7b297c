package simulation

import "time"

const currency = "EUR"

// manner is how a provider behaves where providers differ.
type manner struct {
	name string
	// visibility is for how long it may hide that it took an order, a capture or a cancel.
	visibility time.Duration
	// probes: a hold and what was captured from it may look alike (smartcore.md A23), so the hold is read before a command.
	probes bool
	// refundIDs: a refund has an id of the provider's, which comes with the answer (smartcore.md 14.5; uapay.md 15.1 has none).
	refundIDs bool
	// namesSums: a status poll names what was settled (smartcore.md A20).
	namesSums bool
	// takesAll: a capture of a part takes all that is held (smartcore.md 4.4).
	takesAll bool
	// formRetried: a status poll names the address of the form, too.
	formRetried bool
	// showsPayouts: that a payout is not found proves something (uapay.md 9.3 says it does not).
	showsPayouts bool
	// cancelsUnpaid: a payment that nobody paid can be given up (uapay.md 7.6).
	cancelsUnpaid bool
	// oneWord: callbacks use one word for a hold and for a success, and one for a failure and for a release (smartcore.md 7).
	oneWord bool
	// namesMovements: callbacks and status polls carry the bank's name of a movement of money.
	namesMovements bool
	// acknowledges: the answer to a capture or cancel only acknowledges it (uapay.md 15.1).
	acknowledges bool
	// failedIsFinal: a payment that a status poll shows as failed is not paid any more (smartcore.md 7). The model does not keep to it always.
	failedIsFinal bool
	// verifyTransfers: a callback about a transfer must be verified by asking (uapay.md 10).
	verifyTransfers bool
}

// manners are the providers that scenarios happen at.
var manners = []manner{
	{name: "card", visibility: time.Minute, probes: true, refundIDs: true, namesSums: true, showsPayouts: true, oneWord: true, namesMovements: true, failedIsFinal: true},
	{name: "cardold", visibility: time.Minute, probes: true, refundIDs: true, takesAll: true, showsPayouts: true, oneWord: true, failedIsFinal: true},
	{name: "invoice", visibility: 2 * time.Minute, namesSums: true, formRetried: true, cancelsUnpaid: true, acknowledges: true, verifyTransfers: true},
}
