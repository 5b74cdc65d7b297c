// Package benchmark measures the production build of the service beside pgbench on the same durable Postgres.
//
// Everything is a process of its own: Postgres, the server, a provider, a shop and the load. The provider, the shop and the
// load are this program again, in another role. They are lean, because they share the processors with what is measured.
//
// Rounds are interleaved: what the service does and what pgbench does alternate within seconds, so that a slow minute of the
// machine hits both. Every figure is the median of the rounds. BENCHMARKS.md says what each figure means.
package benchmark
