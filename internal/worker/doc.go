// Package worker runs what happens in the background: checks of unfinished orders, deliveries to shops and
// the steps of statements. Each is a thin shell over one use case and may run twice.
//
// When an order is to be checked next stands in the order itself, in next_poll_at, committed with the change that asked
// for it. Every replica leases due orders with SKIP LOCKED a few times a second, as many as it has places for, and asks
// about them. The lease is all the queue that checks need: a replica that dies holds it for some seconds and nothing else.
//
// Steps of statements go the same way by next_poll_at, once a second, a few at a time. A step may last minutes, and renews
// its lease.
//
// Deliveries are River jobs in schema river. One is queued in the transaction that needs it, and a sweep makes up for those
// whose process died. River's own scheduler looks every five seconds and only on one elected replica, which is too coarse
// for money.
package worker
