//go:build faults

package faultpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Enabled reports whether this build has faults in it.
const Enabled = true

// plan is what the environment asks for. It is read once, at the first call.
type plan struct {
	points map[string][]*countdown
	stops  *os.File // gets the name of each point before a stop
	until  time.Time
	clock  string
	times  map[string]time.Duration
}

type countdown struct {
	left atomic.Int64
	stop bool // and not the end
}

var read = sync.OnceValue(func() *plan { return parse(os.Getenv) })

func parse(getenv func(string) string) *plan {
	p := &plan{points: map[string][]*countdown{}, clock: getenv("PAYRELAY_FAULTPOINTS_CLOCK"), times: map[string]time.Duration{}}
	each := func(name, sep string, do func(key, value string)) {
		for _, item := range strings.Split(getenv(name), ",") {
			if key, value, _ := strings.Cut(item, sep); key != "" {
				do(key, value)
			}
		}
	}
	each("PAYRELAY_FAULTPOINTS", ":", func(point, nth string) {
		nth, how, _ := strings.Cut(nth, ":")
		n, err := strconv.ParseInt(nth, 10, 64)
		if err != nil || n < 1 || how != "" && how != "stop" {
			panic("faultpoint: " + point + " needs a number above zero, and nothing or stop")
		}
		c := &countdown{stop: how == "stop"}
		c.left.Store(n)
		p.points[point] = append(p.points[point], c)
	})
	if fd, err := strconv.ParseUint(getenv("PAYRELAY_FAULTPOINTS_STOPS"), 10, 16); err == nil {
		p.stops = os.NewFile(uintptr(fd), "stops")
	}
	each("PAYRELAY_FAULTPOINTS_TIMES", "=", func(name, text string) {
		d, err := time.ParseDuration(text)
		if err != nil {
			panic("faultpoint: " + name + " is not a duration")
		}
		p.times[name] = d
	})
	if ms, err := strconv.ParseInt(getenv("PAYRELAY_FAULTPOINTS_UNTIL"), 10, 64); err == nil {
		p.until = time.UnixMilli(ms)
	}
	return p
}

// Hit ends the process, as a power cut would, or stops it until somebody lets it go on, if this is the time that the plan
// names.
func Hit(point string) {
	p := read()
	for _, c := range p.points[point] {
		if c.left.Add(-1) != 0 || !p.until.IsZero() && time.Now().After(p.until) {
			continue
		}
		if c.stop {
			stop(p, point)
			continue
		}
		_, _ = os.Stderr.WriteString("faultpoint: killed at " + point + "\n")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}

// stop stops all threads of the process. The pause is for the signal to take effect before the caller goes on.
func stop(p *plan, point string) {
	_, _ = os.Stderr.WriteString("faultpoint: stopped at " + point + "\n")
	if p.stops != nil {
		_, _ = p.stops.WriteString(point + "\n")
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	time.Sleep(20 * time.Millisecond)
}

// offset is how far the clock is off, looked up at most twenty times a second.
var offset struct {
	next, by atomic.Int64
}

// Now is the time, moved by what the clock file says.
func Now() time.Time {
	now := time.Now()
	file := read().clock
	if file == "" {
		return now
	}
	if due := offset.next.Load(); now.UnixNano() >= due && offset.next.CompareAndSwap(due, now.Add(50*time.Millisecond).UnixNano()) {
		if text, err := os.ReadFile(file); err == nil {
			if by, err := time.ParseDuration(strings.TrimSpace(string(text))); err == nil {
				offset.by.Store(int64(by))
			}
		}
	}
	return now.Add(time.Duration(offset.by.Load()))
}

// Duration is what the plan has for name, or d.
func Duration(name string, d time.Duration) time.Duration {
	if planned, ok := read().times[name]; ok {
		return planned
	}
	return d
}
