// Package notify delivers the notifications of one order to one shop: it leases them from the outbox in sequence, signs
// each as Standard Webhooks asks, posts it, and writes down how that ended. When to call it is the worker's business.
//
// What it promises:
//
//   - A POST of exactly the payload's bytes. 2xx is delivered, 410 switches the address off, everything else is tried
//     again with growing, jittered pauses until three days after the notification was made; then it is dead-lettered. The first
//     retry comes within 30 seconds. Retry-After may put a retry off, by a day at most, and never brings it forward.
//   - The next notification of an order waits for the one before it. Orders do not wait for each other.
//   - At least once: an attempt whose outcome could not be written down is repeated when its lease ends.
//   - The answer's body is never looked at. No redirect is followed and no proxy from the environment is used.
//   - No log line, metric or stored word holds any part of the address, the payload, the secret or the answer.
//
// Where it may connect to is decided on the address that is really dialled, after DNS, so neither a name that points
// inside nor an odd spelling of an address gets around it:
//
//   - Public addresses: https only, ports 443 and 8443 only.
//   - Everything else (loopback, private, link-local, CGNAT, metadata, multicast, NAT64, 6to4, reserved): refused, unless
//     the shop's allow-list has it. What the allow-list has may be reached on any port and without TLS.
//
// Connections are kept alive, but only among shops with the same allow-list: one that was dialled under one allow-list
// is never used under another.
package notify
