package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killLimit is how long an immediate shutdown may take before the process is killed outright.
const killLimit = 5 * time.Second

// process is one run of the server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the server has ended
}

// startProcess runs cmd as a child that ends with this program.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.hold(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run %s: %w", cmd.Path, err)
	}
	return p, nil
}

// hold starts the child and waits for it on one thread: the parent death signal comes when that thread ends, not when
// the program does, so nobody else may have it, or let it go, while the child runs.
func (p *process) hold(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is in its log
	}
	close(p.done)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks for a fast shutdown, and for an immediate one when ctx ends first.
func (p *process) stop(ctx context.Context) error {
	_ = p.cmd.Process.Signal(syscall.SIGINT) // fails only when it has ended
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("stop postgres: it was ended at once: %w", ctx.Err())
	}
}

// kill ends the server by immediate shutdown, in which it takes its own children with it, or outright.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT) // fails only when it has ended
	limit := time.NewTimer(killLimit)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// waitReady returns when the server in data accepts connections, by the word of its own postmaster.pid: trying to
// connect would fill the log with refusals.
func (p *process) waitReady(ctx context.Context, data string) error {
	err := poll(ctx, func() (bool, error) {
		if p.ended() {
			return false, errEndedEarly
		}
		text, err := os.ReadFile(filepath.Join(data, "postmaster.pid")) //nolint:gosec // the server's own file
		if err != nil {
			return false, nil //nolint:nilerr // not written yet
		}
		lines := strings.Split(string(text), "\n")
		return len(lines) > 7 && lines[0] == strconv.Itoa(p.pid()) && strings.TrimSpace(lines[7]) == "ready", nil
	})
	if err != nil {
		return fmt.Errorf("wait for postgres: %w", err)
	}
	return nil
}

var errEndedEarly = errors.New("it ended before it accepted connections")

// openLog opens the server's log for appending, the old one set aside when it has grown.
func openLog(dir string) (*os.File, error) {
	const limit = 16 << 20
	path := filepath.Join(dir, logName)
	if info, err := os.Lstat(path); err == nil && info.Size() > limit {
		if err := os.Rename(path, filepath.Join(dir, oldLogName)); err != nil {
			return nil, fmt.Errorf("set the old log aside: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600) //nolint:gosec // our own file
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return file, nil
}

// logSince returns what was written to the log from offset on, at most its last two thousand bytes.
func logSince(file *os.File, offset int64) string {
	const most = 2000
	if info, err := file.Stat(); err == nil {
		offset = max(offset, info.Size()-most)
	}
	text, err := io.ReadAll(io.NewSectionReader(file, offset, most))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
