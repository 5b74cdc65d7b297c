// Package host gives a merchant of a simulator an address of its own, which can be taken away while the others live. It
// passes connections on and knows nothing of what they carry.
package host
