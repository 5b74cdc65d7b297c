package localpg

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrInUse means that another program, or this one, already runs a server on the directory.
var ErrInUse = errors.New("the directory is already in use")

// ErrNoPostgres means that this machine has no Postgres and none could be had. Its text says what to install.
var ErrNoPostgres = errors.New("no Postgres to be found: set DATABASE_URL (for tests TEST_DATABASE_URL) to the URL of one, or install the server " +
	"(Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), or start Docker")

// ErrNotOurs is returned by Kill and Restart for a server that was given by URL.
var ErrNotOurs = errors.New("this server was given by URL and is not ours to stop")

// startLimit bounds a start whose context has no deadline; crash recovery of a large directory is the slow case.
const startLimit = 2 * time.Minute

// Options say which Postgres is wanted. Only Dir, or URL, is required.
type Options struct {
	// URL names a server that runs already, usually the value of DATABASE_URL. When set the other fields but Logf are
	// ignored: nothing is started, and Stop leaves that server alone.
	URL string
	// Dir is where the data, the password and the log are kept. It is made when missing. When the program is root and
	// the unprivileged account cannot reach it, a directory under /var/lib or the temporary directory stands in for it,
	// always the same one for the same Dir.
	Dir string
	// Database is made when missing, and URL() names it. Empty means the maintenance database "postgres".
	Database string
	// Fresh throws away the data of earlier runs first.
	Fresh bool
	// Fast trades durability for speed. Commits survive the server's own crash; a crash of the
	// machine may lose all, so after a reboot it starts empty. It also starts empty rather than fail when the data was made by another major version.
	Fast bool
	// InstalledOnly looks for server binaries on this machine and nowhere else.
	InstalledOnly bool
	// Logf is told, in a line each, about what is worth knowing: another directory, a download, a container. Optional.
	Logf func(format string, args ...any)
}

// Server is a Postgres that accepts connections. Its methods may be called from any goroutine, one at a time.
type Server struct {
	backend
}

// backend is one way of having a Postgres.
type backend interface {
	// URL is a connection URL with user and password, for a superuser unless the server was given by URL. It stays the
	// same through Restart.
	URL() string
	// Describe says which Postgres this is and where, without the password: for a log line.
	Describe() string
	// Done is closed when the server has ended, asked or not. After Restart it is a new channel. For a server given by
	// URL, or in a container, it is nil and never fires.
	Done() <-chan struct{}
	// Stop ends the server and frees its directory: connections are closed and data written; when ctx ends first, the
	// server is ended at once, as by Kill, and ctx's error returned. Stopping twice is no error. A server given by URL
	// is left alone.
	Stop(ctx context.Context) error
	// Kill ends the server at once, as a crash would: nothing more is written, and the next start replays the log. The
	// directory stays ours until Stop.
	Kill() error
	// Restart starts the server again on the same port, stopping it first if it runs.
	Restart(ctx context.Context) error
}

// Start returns a running Postgres for opts. The caller must Stop it. It blocks until connections are accepted, and
// fails when ctx ends or after two minutes.
func Start(ctx context.Context, opts Options) (*Server, error) {
	sources := []source{fromMachine, fromContainer, fromDownload}
	if opts.InstalledOnly {
		sources = sources[:1]
	}
	return start(ctx, opts, sources)
}

// A source is one way to get a Postgres. errUnavailable sends Start on to the next; any other error ends the search.
type source func(ctx context.Context, opts Options) (backend, error)

var errUnavailable = errors.New("not available here")

func start(ctx context.Context, opts Options, sources []source) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if opts.Logf == nil {
		opts.Logf = func(string, ...any) {}
	}
	if opts.URL != "" {
		ext, err := connectGiven(ctx, opts.URL)
		if err != nil {
			return nil, err
		}
		return &Server{ext}, nil
	}
	if opts.Dir == "" {
		return nil, errors.New("start postgres: a directory or a URL is required")
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	opts.Dir = dir

	var tried []string
	for _, from := range sources {
		b, err := from(ctx, opts)
		switch {
		case err == nil:
			if err := ensureDatabase(ctx, b, opts.Database); err != nil {
				_ = b.Stop(context.WithoutCancel(ctx))
				return nil, err
			}
			return &Server{b}, nil
		case errors.Is(err, errUnavailable):
			tried = append(tried, err.Error())
		default:
			return nil, fmt.Errorf("start postgres: %w", err)
		}
	}
	return nil, fmt.Errorf("%w (%s)", ErrNoPostgres, strings.Join(tried, "; "))
}

// ensureDatabase makes the database that b's URL names, unless it is there.
func ensureDatabase(ctx context.Context, b backend, name string) error {
	if name == "" {
		return nil
	}
	conf, err := pgx.ParseConfig(b.URL())
	if err != nil {
		return fmt.Errorf("read the URL of %s: %w", b.Describe(), err)
	}
	conf.Database = maintenanceDatabase
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", b.Describe(), err)
	}
	defer conn.Close(ctx) //nolint:errcheck // the work is done, or its own error is returned
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil {
		return fmt.Errorf("look for database %s: %w", name, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}
