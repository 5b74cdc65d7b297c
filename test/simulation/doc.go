// Package simulation runs the real payment.Service in virtual time, against a store in memory and a model of a provider.
//
// A scenario is one life of an order with its refunds: what the shop asks for, what the customer does, what the provider does
// with the money, and what goes wrong. Everything in it follows from the seed and the scenario's number, so each scenario can be
// repeated alone. Scenarios share nothing.
//
// Time does not pass by itself. A queue of events moves the clock (queue.go). Each use case runs in a process, which is a
// coroutine: it stands still while it waits for the store or the provider, and other processes go on meanwhile
// (process.go). A crash ends a process at such a place for good: the steps behind it never happen.
//
// The model of the provider (provider.go and its neighbours) is written from docs/providers and docs/architecture.md, and
// not from the code under test. It may withhold, delay, repeat and reorder what it says, and it may deny an order within its
// visibility delay. It never claims another end than the true one: nobody could tell.
//
// The rules that every scenario must keep are in rules.go.
package simulation
