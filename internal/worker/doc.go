// Package worker runs what happens in the background: status polls of unfinished orders, deliveries to shops and
// the steps of transaction reports. Each is a thin shell over one use case and may run twice.
//
// When an order is to be asked about next stands in the order itself, in next_poll_at, committed with the change that asked
// for it. Every replica leases due orders with SKIP LOCKED a few times a second, as many as it has places for, and asks
// about them. The lease is all the queue that polls need: a replica that dies holds it for some seconds and nothing else.
//
// Steps of transaction reports go the same way by next_poll_at, once a second, a few at a time. A step may last minutes, and renews
// its lease.
//
// Deliveries begin in this process, right after the commit that wrote the notification. A sweep twice a second finds what is
// due by the plan of retries, and what a process that died has left. A notification under way has a lease.
package worker
