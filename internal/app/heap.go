package app

import "runtime"

// heapFloor is memory that is reserved and never touched, so that it occupies none. The garbage collector counts it: while little else
// is in use it runs half as often, and a service that holds much more is collected as always. GOGC and GOMEMLIMIT work as they do.
const heapFloor = 24 << 20

// reserveHeap reserves the floor until release is called.
func reserveHeap() (release func()) {
	floor := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(floor) }
}
