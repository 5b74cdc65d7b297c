// Package fault test is payrelay's fault harness. It runs the real server as child processes over a real Postgres and the
// provider simulators, under a load and a list of faults that both come from a seed, then stops the faults, waits until
// every order is settled and compares three books: what the simulators did with the money, what the database says, and what
// every shop was told.
//
// plan.go makes load and faults from a seed; setup.go, stack.go, replica.go, proxy.go and front.go are what the run consists of;
// client.go, script.go, script_kept.go and receiver.go are the shops, recover.go is what they ask for when all is over, and contradict.go is a provider
// that changes its mind; faults.go applies the faults; books.go, asked.go and collect.go are the books, and check.go, check_notices.go and
// check_answers.go compare them; run.go is one run from the beginning to the end, and coverage.go what many runs have tried together.
//
// The seed decides every order, every fault and when each begins. It does not decide how the operating system schedules
// processes, so a run with the same seed meets the same plan and nearly, not exactly, the same interleaving.
package faults
