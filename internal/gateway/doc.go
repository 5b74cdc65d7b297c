// Package gateway is the contract between payrelay and payment providers: the neutral words for what is asked of a
// provider and for what it answered. It does no I/O and knows neither orders nor storage.
//
// A provider is a Driver; opened on an account it is a Gateway. Three methods every gateway has; everything else is a
// one-method interface found by type assertion, so having the method is the capability. Do not wrap a Gateway in a
// decorator: its optional methods would vanish. Metrics and logs belong on the HTTP transport handed to the driver.
//
// Adapters translate and never decide. What the provider said is a Result, a decline included. An error means that we
// do not know or could not ask, and its Kind says which: the zero kind is Unknown, the cautious one. Only package
// payment turns results into statuses.
package gateway
