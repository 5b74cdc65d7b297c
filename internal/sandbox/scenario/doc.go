// Package scenario runs named scenarios of a shop against a running `dev`, and compares three records after each: the order as the API shows
// it, the notifications that the shop received, and what the simulator of the provider wrote down. It knows the service by its API only.
package scenario
