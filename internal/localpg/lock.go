package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Names in the directory, see the package's comment.
const (
	lockName       = "lock"
	logName        = "postgres.log"
	oldLogName     = "postgres.log.1"
	clusterName    = "cluster"
	newClusterName = "cluster.new"
)

const (
	pollEvery = 5 * time.Millisecond
	// orphanLimit is how long a server whose program has died may take to end.
	orphanLimit = 10 * time.Second
)

// dirLock is the right to use a directory. The kernel takes it back when the program ends, however it ends.
type dirLock struct {
	file *os.File
	// lastServer is the process id of the server that the holder before us started, 0 when unknown.
	lastServer int
}

// lockDir takes the directory's lock. While its holder lives that is ErrInUse at once; a holder that is just dying is
// waited for.
func lockDir(ctx context.Context, dir string) (*dirLock, error) {
	path := filepath.Join(dir, lockName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, orphanLimit)
	defer cancel()
	var holder, server int
	err = poll(ctx, func() (bool, error) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		holder, server = readLock(path)
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return false, fmt.Errorf("lock %s: %w", path, err)
		case alive(holder):
			return false, fmt.Errorf("%w: process %d runs a Postgres in %s; stop it or choose another directory", ErrInUse, holder, dir)
		}
		return false, nil // between its taking the lock and writing its number, or dying
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: another program holds %s", ErrInUse, path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	l := &dirLock{file: file, lastServer: server}
	if err := l.record(server); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// record writes who holds the lock and which server is running under it.
func (l *dirLock) record(server int) error {
	text := fmt.Sprintf("%d\n%d\n", os.Getpid(), server)
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	if _, err := l.file.WriteAt([]byte(text), 0); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	return nil
}

// release gives the lock back. The file stays: removing it would let two programs lock two files of one name.
func (l *dirLock) release() { _ = l.file.Close() }

func readLock(path string) (holder, server int) {
	text, err := os.ReadFile(path) //nolint:gosec // our own file
	if err != nil {
		return 0, 0
	}
	lines := strings.Split(string(text), "\n")
	holder, _ = strconv.Atoi(lines[0])
	if len(lines) > 1 {
		server, _ = strconv.Atoi(lines[1])
	}
	return holder, server
}

// clearOrphan makes data startable again after a program that was killed: it ends the server that program left, and
// repairs a postmaster.pid whose number has passed to some other process. The caller holds the directory's lock.
func clearOrphan(ctx context.Context, data string, lastServer int) error {
	path := filepath.Join(data, "postmaster.pid")
	text, err := os.ReadFile(path) //nolint:gosec // the server's own file
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read postmaster.pid: %w", err)
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 {
		// Torn by a crash of the machine: nothing that Postgres could use, and it would refuse to start over it.
		return removeStale(path)
	}
	if !alive(pid) {
		return nil // Postgres sees that for itself, and checks that no backend of that server is left
	}
	if !isServerOf(pid, data, lastServer) {
		// The number belongs to another program now, which Postgres would take for a running server. The rest of the file
		// says how to look for backends that outlived it, so it is kept, under a number that Postgres never takes for a
		// server: its own parent's.
		repaired := strconv.Itoa(os.Getpid()) + "\n" + rest
		if err := os.WriteFile(path, []byte(repaired), 0o600); err != nil { //nolint:gosec // keeps its owner: it exists
			return fmt.Errorf("repair postmaster.pid: %w", err)
		}
		return nil
	}
	if pid == lastServer {
		_ = syscall.Kill(pid, syscall.SIGQUIT) // on Linux it is ending already
	}
	ctx, cancel := context.WithTimeout(ctx, orphanLimit)
	defer cancel()
	if err := poll(ctx, func() (bool, error) { return !isServerOf(pid, data, lastServer) || !alive(pid), nil }); err != nil {
		return fmt.Errorf("%w: a Postgres that this program did not start, process %d, runs in %s; stop it first", ErrInUse, pid, data)
	}
	return nil
}

func removeStale(path string) error {
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove a torn postmaster.pid: %w", err)
	}
	return nil
}

// alive reports whether a process has this number; one we may not signal counts.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// poll asks until done, an error, or the end of ctx, whose error it returns.
func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (l *dirLock) released() bool {
	_, err := l.file.Stat()
	return errors.Is(err, os.ErrClosed)
}
