// Package smartcore speaks the SmartCore (SmartPayments) HTTP payment API, as described by
// docs/providers/smartcore.md, whose sections and rules the comments cite. It translates and never decides: what
// the provider said becomes a gateway.Result, and everything that leaves the outcome open becomes an error of a kind that says so.
//
// The files: adapter.go opens accounts; payments.go, holds.go, refunds.go, payouts.go and reports.go build requests and
// fields.go checks them; fetch.go asks about orders; client.go sends calls and sorts answers; wire.go holds the provider's
// spelling, status.go the meaning of its numbers, errors.go its dictionary, sign.go and callback.go the notifications.
//
// What the documents leave open, and what is done here:
//   - How "no such order" looks is undocumented. A small table of plain words counts as that; any other err of a check
//     means that the check failed, and nothing is known (errors.go).
//   - One number means different things after different requests (smartcore.md 14.4). Status 2 after a capture is read
//     as captured, as that section says, although a hold whose capture never arrived may look the same.
//   - How long an order can be asked about is undocumented; 30 days is an assumption.
//   - A refund has no id of ours. When its answer is lost nothing can prove what became of it: Fetch of such a refund
//     stays unknown and a person decides (smartcore.md 14.5). So does one that failed at once, without an id, of a code
//     that is no plain decline: nothing would protect from giving the money back twice.
package smartcore
