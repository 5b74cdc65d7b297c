package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// replica is one server process, started again whenever it has died.
type replica struct {
	binary     string
	address    string // of the merchant API
	admin      string
	log        string
	clock      string
	env        map[string]string
	restarts   []time.Duration
	until      time.Time   // no point kills or stops afterwards
	injections *injections // gets the points that were reached

	mu      sync.Mutex
	kills   []Fault // of the starts to come, one each
	pauses  []Fault // that were not reached yet
	cmd     *exec.Cmd
	deaths  int
	ordered bool   // the process was ordered to end
	exits   []Exit // that nobody ordered
	taken   bool   // somebody else has its port
	held    int    // processes that have stopped themselves
	stopped bool
	done    chan struct{}
}

// run keeps the process alive until stop.
func (r *replica) run(ctx context.Context) error {
	file, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the replica's log: %w", err)
	}
	defer func() { _ = file.Close() }()
	defer close(r.done)
	for {
		exited := make(chan struct{})
		if err := r.start(file, exited); err != nil {
			return err
		}
		<-exited
		r.mu.Lock()
		stopped, pause := r.stopped || ctx.Err() != nil, 200*time.Millisecond
		if r.deaths < len(r.restarts) && time.Now().Before(r.until) {
			pause = r.restarts[r.deaths]
		}
		r.deaths++
		r.mu.Unlock()
		if stopped || !wait(ctx, pause) {
			return nil
		}
	}
}

// start runs the process on a thread of its own: the signal that ends it with this program comes when that thread ends.
func (r *replica) start(log *os.File, exited chan<- struct{}) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		began, sizeErr := log.Seek(0, io.SeekEnd)
		r.mu.Lock()
		env := maps.Clone(r.env)
		kill := r.arm(env)
		cmd := exec.Command(r.binary, "run") //nolint:gosec,noctx // ours, and ended by signals alone
		cmd.Env, cmd.Stdout, cmd.Stderr = environ(env), log, log
		cmd.SysProcAttr = deathAttributes()
		stops, reported, err := os.Pipe()
		if err == nil {
			cmd.ExtraFiles = []*os.File{reported} // the child's third
			err = cmd.Start()
			_ = reported.Close()
			go r.resume(cmd, stops)
		}
		r.cmd, r.ordered = cmd, false
		r.mu.Unlock()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
			text, readErr := os.ReadFile(r.log)
			if sizeErr == nil && readErr == nil {
				text = text[min(began, int64(len(text))):]
			}
			r.ended(cmd.ProcessState.String(), string(text), kill, time.Now())
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start a replica: %w", err)
	}
	return nil
}

// ended notes why a process ended: at the instant that was planned for it, by a signal of ours, or by itself. text is what
// it has written.
func (r *replica) ended(how, text string, kill *Fault, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case kill != nil && strings.Contains(text, "faultpoint: killed at "+kill.Point+"\n"):
		r.injections.add(injectionOf(*kill, at, at))
	case r.ordered || r.stopped:
	case strings.Contains(text, "address already in use"):
		r.taken = true
	default:
		r.exits = append(r.exits, Exit{Replica: filepath.Base(r.log), How: how, At: at})
	}
}

// arm writes into the environment of a start which instants end or stop the process, and returns the one that ends it.
func (r *replica) arm(env map[string]string) (kill *Fault) {
	var points []string
	if len(r.kills) > 0 && time.Now().Before(r.until) {
		kill, r.kills = &r.kills[0], r.kills[1:]
		points = append(points, fmt.Sprintf("%s:%d", kill.Point, kill.Nth))
	}
	for _, f := range r.pauses {
		points = append(points, fmt.Sprintf("%s:%d:stop", f.Point, f.Nth))
	}
	env["PAYRELAY_FAULTPOINTS"], env["PAYRELAY_FAULTPOINTS_STOPS"] = strings.Join(points, ","), "3"
	env["PAYRELAY_FAULTPOINTS_UNTIL"] = strconv.FormatInt(r.until.UnixMilli(), 10)
	return kill
}

// resume lets a process go on that has stopped itself and said at which point, as soon as the plan's time is over.
func (r *replica) resume(cmd *exec.Cmd, stops *os.File) {
	defer func() { _ = stops.Close() }()
	for lines := bufio.NewScanner(stops); lines.Scan(); {
		point, at := lines.Text(), time.Now()
		var pause *Fault
		r.mu.Lock()
		if i := slices.IndexFunc(r.pauses, func(f Fault) bool { return f.Point == point }); i >= 0 {
			f := r.pauses[i]
			pause, r.pauses = &f, slices.Delete(r.pauses, i, i+1)
		}
		r.held++
		r.mu.Unlock()
		if pause != nil {
			wait(context.Background(), pause.For)
			r.injections.add(injectionOf(*pause, at, time.Now()))
		}
		_ = cmd.Process.Signal(syscall.SIGCONT) // fails only when it has ended
		r.mu.Lock()
		r.held--
		r.mu.Unlock()
	}
}

// disarmed waits until no point can be reached any more and no process is stopped at one.
func (r *replica) disarmed(ctx context.Context) {
	for wait(ctx, max(time.Until(r.until), 20*time.Millisecond)) {
		r.mu.Lock()
		held := r.held
		r.mu.Unlock()
		if held == 0 {
			return
		}
	}
}

// signal reaches the process that runs now, and reports whether one does.
func (r *replica) signal(s syscall.Signal) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil || r.cmd.Process == nil || r.cmd.Process.Signal(s) != nil { // it fails only when it has ended
		return false
	}
	r.ordered = r.ordered || s == syscall.SIGKILL || s == syscall.SIGTERM
	return true
}

// running reports whether a process is there.
func (r *replica) running() bool { return r.signal(syscall.Signal(0)) }

func (r *replica) stop() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.signal(syscall.SIGKILL)
	<-r.done
}

// ready waits until the replica says that it is.
func (r *replica) ready(ctx context.Context) error {
	client := &http.Client{Timeout: 2 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.admin+"/readyz", nil)
		if err != nil {
			return err
		}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		if !wait(ctx, 20*time.Millisecond) {
			return errors.New("a replica did not become ready; its log says why")
		}
	}
}

// setClock moves the replica's clock.
func (r *replica) setClock(by time.Duration) error {
	next := r.clock + ".new"
	if err := os.WriteFile(next, []byte(by.String()), 0o600); err != nil {
		return fmt.Errorf("move the clock: %w", err)
	}
	return os.Rename(next, r.clock)
}
