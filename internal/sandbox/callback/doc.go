// Package callback delivers the callbacks of the provider simulators: each attempt is
// kept with the answer it got, an answer other than 200 is followed by a
// finite schedule of redeliveries, and the callback faults hold back, delay,
// multiply or swallow what is sent. What a callback says, and how it is signed,
// is the business of each simulator.
package callback
