package torture

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// replica is one server process, started again whenever it has died.
type replica struct {
	binary   string
	address  string // of the merchant API
	admin    string
	log      string
	clock    string
	env      map[string]string
	restarts []time.Duration
	until    time.Time // no point kills afterwards

	mu      sync.Mutex
	points  []string // plans of the starts to come
	cmd     *exec.Cmd
	deaths  int
	reached []string
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
		r.mu.Lock()
		env := map[string]string{}
		for k, v := range r.env {
			env[k] = v
		}
		if len(r.points) > 0 && time.Now().Before(r.until) {
			env["PAYRELAY_FAULTPOINTS"], r.points = r.points[0], r.points[1:]
		}
		env["PAYRELAY_FAULTPOINTS_UNTIL"] = strconv.FormatInt(r.until.UnixMilli(), 10)
		cmd := exec.Command(r.binary, "run") //nolint:gosec,noctx // ours, and ended by signals alone
		cmd.Env, cmd.Stdout, cmd.Stderr = environ(env), log, log
		cmd.SysProcAttr = deathAttributes()
		err := cmd.Start()
		r.cmd = cmd
		r.mu.Unlock()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
			if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && env["PAYRELAY_FAULTPOINTS"] != "" {
				r.mu.Lock()
				r.reached = append(r.reached, env["PAYRELAY_FAULTPOINTS"])
				r.mu.Unlock()
			}
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start a replica: %w", err)
	}
	return nil
}

// signal reaches the process that runs now, if one does.
func (r *replica) signal(s syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd != nil && r.cmd.Process != nil {
		_ = r.cmd.Process.Signal(s) // fails only when it has ended
	}
}

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
