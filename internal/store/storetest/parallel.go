package storetest

import (
	"flag"
	"runtime"
	"strconv"
)

// MoreAtOnce lets more parallel tests run than there are processors, unless -parallel says how many. It is for packages whose
// tests mostly wait: for locks, callbacks, schedules and browsers. Call it in TestMain.
func MoreAtOnce() {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(strconv.Itoa(4 * runtime.GOMAXPROCS(0))) // a number is never refused
	}
}
