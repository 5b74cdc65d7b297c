// Package schedule runs the timed work of the provider simulators: timeouts of their
// pages, delayed outcomes, callback deliveries. Work is queued at any moment and
// executed only while Run is active, so that no goroutine outlives it.
package schedule
