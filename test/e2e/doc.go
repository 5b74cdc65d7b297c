// Package e2e tests the whole program from outside: real HTTP, a real Postgres, the providers' simulators and a browser.
//
// A file is a story, and the files are numbered in the order in which a newcomer would read them:
//
//   - 01 to 10: payments: the first one, the ways to pay, and what a request may say.
//   - 11 to 15: holds, sums, refunds, payouts with recurring charges, transfers.
//   - 16 to 18: notifications and transaction reports.
//   - 21 to 29: the same at UAPAY, and what only UAPAY has.
//   - 31 to 35: starting the service, its commands, and what operators do.
//   - 41 to 44: outages, crashes, locked rows and many requests at once.
//   - 51 to 53: every example of the documents.
//
// What the stories have in common is the driver, in the files driver_*: a dev is a running program with a shop, its methods
// send requests, play the customer, the provider and the operator, and wait for what must come. A uapayDev does the same at
// UAPAY. Benchmarks are in the files bench_*.
package e2e
