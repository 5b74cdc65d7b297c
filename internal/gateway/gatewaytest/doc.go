// Package gatewaytest holds what tests of and around providers share: Run, the suite that every adapter passes over real
// HTTP against a misbehaving provider, and Fake, a driver and gateway made of function fields for tests of packages
// that only need some provider.
package gatewaytest
