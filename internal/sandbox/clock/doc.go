// Package clock is the time of the simulators, which a developer moves. Whoever lives by it, such as the service in `dev`, follows each move.
package clock
