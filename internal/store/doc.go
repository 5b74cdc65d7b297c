// Package store keeps everything that payrelay must not forget in Postgres: it implements payment.Store,
// payment.Outbox and idempotency.Store, and what operators and the administration commands need.
//
// Promises:
//
//   - What one method writes is committed together or not at all: an order, its history, its notifications and the jobs
//     that deliver them.
//   - Writes that are ready at the same time share a commit, see commit.go. Nobody is answered before it, and a write that
//     fails hurts no other.
//   - Rows are locked in one order, so that two transactions cannot wait for each other: a refund's payment (the parent),
//     then the order. A shared commit waits for no row that somebody holds. A deadlock or serialization failure that happens nevertheless
//     is tried again a few times; functions given to UpdateOrder and ApplyCallback may therefore run twice.
//   - Every question about a shop's data names the shop; another shop's key finds nothing. Only methods whose comment
//     says so look across shops, for operators.
//   - While the database cannot be reached, has no connection to spare, is read-only or full, methods return a
//     payment.Error of CodeUnavailable, within seconds.
//   - Credentials, signing secrets, provider state, next actions and kept answers rest encrypted, see package secrets.
//
// The statements are in queries, from which sqlc generates internal/db. Only the search for orders is put together at
// run time, from fixed pieces and parameters; and the statements that write many rows are made from the parameters of those
// that write one, see rows.go.
package store
