package localpg

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	superuser           = "payrelay"
	maintenanceDatabase = "postgres"
	// portTries bounds the search for a port: a free one can be taken before the server binds it.
	portTries = 5
)

// cluster is a server run from binaries on a directory of ours.
type cluster struct {
	dir      string
	bin      binaries
	acct     *account
	lock     *dirLock
	database string
	password string
	fast     bool
	port     int
	proc     *process
}

// fromMachine runs the server of POSTGRES_BIN, or else the newest one installed here.
func fromMachine(ctx context.Context, opts Options) (backend, error) {
	acct := serverAccount()
	if dir := os.Getenv(binVariable); dir != "" {
		bin, err := inspectBinaries(ctx, dir, acct)
		if err != nil {
			return nil, fmt.Errorf("%s must name a folder with the programs initdb and postgres: %w", binVariable, err)
		}
		return startCluster(ctx, opts, acct, []binaries{bin})
	}
	found := findBinaries(ctx, acct, os.Getenv("PATH"), binaryGlobs())
	if len(found) == 0 {
		return nil, fmt.Errorf("server binaries on this machine: %w", errUnavailable)
	}
	return startCluster(ctx, opts, acct, found)
}

// startCluster starts opts.Dir with one of the binaries, which are sorted newest first.
func startCluster(ctx context.Context, opts Options, acct *account, found []binaries) (backend, error) {
	dir, err := chooseDir(ctx, opts, acct, found[0])
	if err != nil {
		return nil, err
	}
	// The server's own files name the directory without links.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("look at the data folder: %w", err)
	}
	lock, err := lockDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, acct: acct, lock: lock, database: opts.Database, fast: opts.Fast}
	if c.database == "" {
		c.database = maintenanceDatabase
	}
	if err := c.begin(ctx, opts, found); err != nil {
		lock.release()
		return nil, err
	}
	return c, nil
}

func (c *cluster) data() string { return filepath.Join(c.dir, clusterName, "data") }

// begin makes the data when there is none fit to use, and starts the server on it.
func (c *cluster) begin(ctx context.Context, opts Options, found []binaries) error {
	if err := clearOrphan(ctx, c.data(), c.lock.lastServer); err != nil {
		return err
	}
	major, exists, err := c.dataVersion()
	if err != nil {
		return err
	}
	c.bin = found[0]
	if i := slices.IndexFunc(found, func(b binaries) bool { return b.major == major }); i >= 0 && !opts.Fresh {
		c.bin = found[i]
	}
	switch {
	case !exists, opts.Fresh, opts.Fast && (c.bin.major != major || !c.sameBoot()):
		if err := c.create(ctx); err != nil {
			return err
		}
	case c.bin.major != major:
		return fmt.Errorf("the data in %s is of Postgres %d and the newest server here is %s: install Postgres %d, or start fresh",
			c.dir, major, c.bin.version, major)
	}
	if err := c.acct.own(filepath.Join(c.dir, clusterName)); err != nil {
		return fmt.Errorf("hand the data to the server's account: %w", err)
	}
	password, err := os.ReadFile(filepath.Join(c.dir, clusterName, "password")) //nolint:gosec // our own file
	if err != nil {
		return fmt.Errorf("read the server's password: %w", err)
	}
	c.password = strings.TrimSpace(string(password))
	return c.launch(ctx, 0)
}

// dataVersion is the major version that made the data.
func (c *cluster) dataVersion() (major int, exists bool, err error) {
	text, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION")) //nolint:gosec // the server's own file
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the version of the data: %w", err)
	}
	if major, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		return 0, false, fmt.Errorf("read the version of the data: %w", err)
	}
	return major, true, nil
}

// sameBoot reports whether the data was made since the machine started: data written without fsync is good until then.
func (c *cluster) sameBoot() bool {
	made, err := os.ReadFile(filepath.Join(c.dir, clusterName, "boot")) //nolint:gosec // our own file
	return err == nil && bootID() != "" && string(made) == bootID()
}

// create replaces the data by that of a new cluster. It is made aside and renamed, so that what is there is whole.
func (c *cluster) create(ctx context.Context) error {
	fresh := filepath.Join(c.dir, newClusterName)
	for _, old := range []string{fresh, filepath.Join(c.dir, clusterName)} {
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("remove old data: %w", err)
		}
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	for name, text := range map[string]string{"password": rand.Text(), "boot": bootID()} {
		if err := os.WriteFile(filepath.Join(fresh, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the cluster's %s: %w", name, err)
		}
	}
	if err := c.acct.own(fresh); err != nil {
		return fmt.Errorf("hand the cluster to the server's account: %w", err)
	}
	// C collation is the same on every machine; C.UTF-8 adds upper and lower case beyond ASCII where the system has it.
	err := c.initdb(ctx, fresh, "--locale=C", "--lc-ctype=C.UTF-8")
	if err != nil && ctx.Err() == nil {
		if rmErr := os.RemoveAll(filepath.Join(fresh, "data")); rmErr != nil {
			return fmt.Errorf("remove half-made data: %w", rmErr)
		}
		err = c.initdb(ctx, fresh, "--locale=C")
	}
	if err != nil {
		return err
	}
	if err := os.Rename(fresh, filepath.Join(c.dir, clusterName)); err != nil {
		return fmt.Errorf("put the new cluster in place: %w", err)
	}
	return nil
}

func (c *cluster) initdb(ctx context.Context, folder string, extra ...string) error {
	args := append([]string{
		"--pgdata=" + filepath.Join(folder, "data"), "--username=" + superuser,
		"--pwfile=" + filepath.Join(folder, "password"), "--auth=scram-sha-256", "--encoding=UTF8",
	}, extra...)
	if c.fast {
		args = append(args, "--no-sync")
	}
	log, err := openLog(c.dir)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // only appended to by the child
	begin := fileSize(log)
	cmd := command(ctx, c.acct, folder, c.bin.path("initdb"), args...)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := startProcess(cmd)
	if err != nil {
		return err
	}
	<-p.done
	if !cmd.ProcessState.Success() {
		said := logSince(log, begin)
		return cmp.Or(c.diskFull(said), fmt.Errorf("initdb ended with %s: %s", cmd.ProcessState, said))
	}
	return nil
}

// launch starts the server on port, 0 for any free one, and returns when it accepts connections.
func (c *cluster) launch(ctx context.Context, port int) error {
	log, err := openLog(c.dir)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own descriptor
	for try := 1; ; try++ {
		c.port = port
		if port == 0 {
			if c.port, err = freePort(ctx); err != nil {
				return err
			}
		}
		begin := fileSize(log)
		// The server outlives ctx, which only bounds its start.
		cmd := command(context.WithoutCancel(ctx), c.acct, c.data(), c.bin.path("postgres"), c.arguments()...)
		cmd.Stdout, cmd.Stderr = log, log
		if c.proc, err = startProcess(cmd); err != nil {
			return err
		}
		if err = errors.Join(c.lock.record(c.proc.pid()), c.proc.waitReady(ctx, c.data())); err == nil {
			return nil
		}
		c.proc.kill()
		said := logSince(log, begin)
		if try < portTries && errors.Is(err, errEndedEarly) && passing(said) {
			if err := pause(ctx, time.Duration(try)*50*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		return cmp.Or(c.diskFull(said), fmt.Errorf("%w; the end of %s: %s", err, log.Name(), said))
	}
}

// diskFull is the error for a program that said that it has no room, and nil for any other.
func (c *cluster) diskFull(said string) error {
	if !strings.Contains(said, "No space left on device") {
		return nil
	}
	return fmt.Errorf("the disk of %s is full: make room for Postgres, which needs 100 MB to begin, or name a folder on another disk", c.dir)
}

// passing reports whether what the server said may be gone at the next try: its port was taken in between, or backends
// of a server that was killed are still ending.
func passing(said string) bool {
	return strings.Contains(said, "could not bind") ||
		strings.Contains(said, "could not create any TCP/IP sockets") ||
		strings.Contains(said, "pre-existing shared memory block")
}

func (c *cluster) arguments() []string {
	settings := []string{
		"listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(c.port),
		"unix_socket_directories=", // a socket's path has a limit of 107 bytes, and nobody needs one
		"timezone=UTC", "log_timezone=UTC",
		"jit=off", "max_parallel_workers_per_gather=0", // short queries; and containers have little /dev/shm
		// The log tells about the server, never about what is in the rows.
		"logging_collector=off", "log_destination=stderr", "log_statement=none", "log_min_duration_statement=-1",
		"log_parameter_max_length=0", "log_parameter_max_length_on_error=0",
		"log_min_error_statement=panic", "log_error_verbosity=terse",
	}
	if c.fast {
		settings = append(settings,
			"fsync=off", "full_page_writes=off",
			"wal_level=minimal", "max_wal_senders=0", "min_wal_size=32MB", "max_wal_size=512MB", "checkpoint_timeout=1h",
			"shared_buffers=64MB", "max_connections=300",
			"autovacuum=off", // it would hold on to a template while it is cloned
		)
	} else {
		settings = append(settings, "shared_buffers=64MB", "max_connections=100", "max_wal_size=512MB")
	}
	args := []string{"-D", c.data()}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

func (c *cluster) URL() string { return serverURL(c.port, c.password, c.database) }

func (c *cluster) Describe() string {
	as := ""
	if c.acct != nil {
		as = ", run as " + c.acct.name
	}
	return fmt.Sprintf("Postgres %s on 127.0.0.1:%d in %s%s", c.bin.version, c.port, c.dir, as)
}

func (c *cluster) Done() <-chan struct{} { return c.proc.done }

func (c *cluster) Stop(ctx context.Context) error {
	err := c.proc.stop(ctx)
	c.lock.release()
	return err
}

func (c *cluster) Kill() error {
	c.proc.kill()
	return nil
}

func (c *cluster) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if c.lock.released() {
		return errors.New("restart postgres: it was stopped; start it anew")
	}
	if err := c.proc.stop(ctx); err != nil {
		return err
	}
	return c.launch(ctx, c.port)
}

// freePort finds a port nobody listens on.
func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close() //nolint:errcheck // it never accepted anything
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("find a free port: unexpected address %s", l.Addr())
	}
	return addr.Port, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func fileSize(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}
