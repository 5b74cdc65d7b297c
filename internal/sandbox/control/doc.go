// Package control is how tests and developers steer a provider simulator: its
// settings and faults, the JSON API under /control and the forms of the
// developer's page under /console. SameOrigin keeps the pages of other sites away
// from both. The package knows nothing of any provider: what settings there are,
// and what can be done to an order, is the business of each simulator.
package control
