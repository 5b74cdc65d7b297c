// Package faultpoint lets the fault harness (cmd/faults) end or stop the service at an exact instant, move its clock and
// shorten its pauses. In an ordinary build all of it is empty functions that the compiler
// removes. Only a build with the tag faults reads anything from the environment:
//
//	PAYRELAY_FAULTPOINTS        point:n,…   the process kills itself the nth time the point is reached; as point:n:stop
//	                                        it stops itself with SIGSTOP
//	PAYRELAY_FAULTPOINTS_STOPS  number      a file descriptor that gets the point's name, and a newline, before each stop
//	PAYRELAY_FAULTPOINTS_UNTIL  unix ms     no point kills or stops after this time
//	PAYRELAY_FAULTPOINTS_CLOCK  path        a file that holds by how much the clock is off, such as -3s
//	PAYRELAY_FAULTPOINTS_TIMES  name=d,…    durations that replace the service's own
//
// The points and names are those where Hit and Duration are called.
package faultpoint
