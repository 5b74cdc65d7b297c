// Package faults is payrelay's fault harness. It runs the real server as child processes over a real Postgres and the
// provider simulators, under a load and a list of faults that both come from a seed. Then it stops the faults, waits until
// every order is settled and compares what three sides recorded: the simulators, the database and every shop.
//
// Each file's name begins with the part that it belongs to:
//
//   - run: one run from the beginning to the end.
//   - plan: load and faults, made from a seed.
//   - setup: what a run consists of: database, proxies, replicas, and a front that balances load.
//   - load: shops that send orders and customers that pay them; receivers of notifications; probes after the faults.
//   - inject: applies faults and records which of them took effect.
//   - snapshot: what simulators, database, shops and logs say at the end.
//   - verify: compares the records of a snapshot and lists violations.
//   - report, coverage: the timelines of orders with violations, and what many runs have tried together.
//
// Package bugs holds deliberate bugs that show what the harness finds.
//
// The seed decides every order, every fault and when each begins. It does not decide how the operating system schedules
// processes, so a run with the same seed meets the same plan and nearly, not exactly, the same interleaving.
package faults
