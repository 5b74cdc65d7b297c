// Package fault holds the switches that make a provider simulator misbehave: lost
// answers, gateway errors, broken bodies, lying checks, odd callbacks. A fault
// hits an endpoint, an order, or the next n requests; it is set by a test, the
// control API or the developer's page and never by the traffic itself.
package fault
