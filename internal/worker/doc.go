// Package worker runs what happens in the background: checks of unfinished orders, deliveries to shops and
// the steps of statements, as River jobs in schema river. A job is a thin shell over one use case and may run twice.
//
// Jobs that are due now are queued in the transaction that needs them. When an order is to be checked next stands in
// the order itself, in next_check_at, committed with the change that asked for it: River's own scheduler looks every
// five seconds and only on one elected replica, which is too coarse for money. A sweep on every replica, a few times a
// second, leases due orders with SKIP LOCKED and queues their check jobs. A replica that dies holds a lease for some
// seconds and nothing else. Statements go the same way by next_poll_at, once a second.
package worker
