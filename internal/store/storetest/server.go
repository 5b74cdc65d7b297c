package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/localpg"
)

const (
	clonePrefix    = "payrelay_test_"
	templatePrefix = "payrelay_template_"
	// keptTemplates is how many templates a folder of ours carries from run to run.
	keptTemplates = 4
	// maxSlots bounds the folders, and so how many test binaries may run a server at one time.
	maxSlots = 64
	// atOnce bounds the databases made and dropped at one time; more only makes each wait for the disk.
	atOnce = 4
)

// theServer is this test binary's server, started by whoever asks first.
var theServer = func() func(context.Context) (*server, error) {
	var (
		mu  sync.Mutex
		srv *server
		err error
	)
	return func(ctx context.Context) (*server, error) {
		mu.Lock()
		defer mu.Unlock()
		if srv == nil && err == nil {
			srv, err = newServer(ctx)
		}
		return srv, err
	}
}()

// server makes and drops databases.
type server struct {
	url string
	// pg is kept for as long as tests run: its lock on the directory is what tells the next test program that the
	// server is in use, and the garbage collector would close it.
	pg    *localpg.Server
	slots chan struct{}
	// idle are connections to the maintenance database that the next one who makes or drops a database takes up.
	idle chan *pgx.Conn
	// workers are the other nodes if the server is the coordinator of a Citus cluster.
	workers []node

	mu        sync.Mutex
	templates map[string]string // schema key → template known to be complete
}

func newServer(ctx context.Context) (*server, error) {
	s := &server{slots: make(chan struct{}, atOnce), idle: make(chan *pgx.Conn, atOnce), templates: map[string]string{}}
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		pg, err := localpg.Start(ctx, localpg.Options{URL: given})
		if err != nil {
			return nil, fmt.Errorf("TEST_DATABASE_URL: %w", err)
		}
		s.url, s.pg = pg.URL(), pg
		return s, s.findNodes(ctx)
	}
	if os.Getenv("TEST_POSTGRES") != "container" {
		pg, err := startOwn(ctx)
		switch {
		case err == nil:
			s.url, s.pg = pg.URL(), pg
			return s, s.sweep(ctx)
		case !errors.Is(err, localpg.ErrNoPostgres):
			return nil, err
		}
	}
	databaseURL, err := startContainer(ctx)
	if err != nil {
		return nil, err
	}
	s.url = databaseURL
	return s, nil
}

// startOwn runs a server on the first of our folders that no other test binary has. It is never stopped: it ends with
// the binary, and the next run takes up the folder.
func startOwn(ctx context.Context) (*localpg.Server, error) {
	base, err := slotsDir()
	if err != nil {
		return nil, err
	}
	for i := range maxSlots {
		opts := localpg.Options{Dir: filepath.Join(base, strconv.Itoa(i)), Fast: true, InstalledOnly: true}
		pg, err := localpg.Start(ctx, opts)
		if errors.Is(err, localpg.ErrInUse) {
			continue
		}
		if errors.Is(err, localpg.ErrNoPostgres) {
			return nil, err
		}
		if err != nil && ctx.Err() == nil {
			opts.Fresh = true // whatever an earlier run left there, it is worth nothing
			pg, err = localpg.Start(ctx, opts)
		}
		if err != nil {
			return nil, fmt.Errorf("start a Postgres for tests: %w", err)
		}
		return pg, nil
	}
	return nil, fmt.Errorf("all %d folders in %s are in use", maxSlots, base)
}

// slotsDir is the folder of this user's folders. The name can be foretold and the place is open to all, so one that
// somebody else made is passed over.
func slotsDir() (string, error) {
	base := filepath.Join(localpg.FastDir(), fmt.Sprintf("payrelay-test-%d", os.Getuid()))
	if err := os.Mkdir(base, 0o711); err != nil && !os.IsExist(err) { //nolint:gosec // root's server has another account
		return "", fmt.Errorf("make a folder for test servers: %w", err)
	}
	info, err := os.Lstat(base)
	if err != nil {
		return "", fmt.Errorf("look at the folder for test servers: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s is not a folder of this user: remove it or set TMPDIR", base)
	}
	return base, nil
}

// sweep drops what earlier runs left: the databases of tests that were killed, and all but the latest templates.
func (s *server) sweep(ctx context.Context) error {
	return s.admin(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT datname::text FROM pg_database WHERE datname LIKE $1
			UNION ALL (SELECT datname::text FROM pg_database WHERE datname LIKE $2 ORDER BY oid DESC OFFSET $3)`,
			clonePrefix+"%", templatePrefix+"%", keptTemplates)
		if err != nil {
			return fmt.Errorf("look for old databases: %w", err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("look for old databases: %w", err)
		}
		for _, name := range names {
			if err := dropDatabase(ctx, conn, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// template returns the name of the database to clone for schema, making it when the server has none. Any number of
// programs may ask at once: one makes it.
func (s *server) template(ctx context.Context, schema Schema) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name, ok := s.templates[schema.Key]; ok {
		return name, nil
	}
	sum := sha256.Sum256([]byte(schema.Key))
	name := templatePrefix + hex.EncodeToString(sum[:8])
	err := s.admin(ctx, func(conn *pgx.Conn) error {
		// CREATE DATABASE cannot run in a transaction, so one connection holds the lock and another does the work.
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name); err != nil {
				return fmt.Errorf("lock template %s: %w", name, err)
			}
			return s.admin(ctx, func(conn *pgx.Conn) error { return s.makeTemplate(ctx, conn, name, schema) })
		})
	})
	if err != nil {
		return "", err
	}
	s.templates[schema.Key] = name
	return name, nil
}

func (s *server) makeTemplate(ctx context.Context, conn *pgx.Conn, name string, schema Schema) error {
	var complete bool
	// The mark of a template is set last, so a database without it is what a killed program left half-made.
	err := conn.QueryRow(ctx, "SELECT datistemplate FROM pg_database WHERE datname = $1", name).Scan(&complete)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("look for template %s: %w", name, err)
	}
	if complete {
		return nil
	}
	if err := s.everywhere(ctx, s.url, func(conn *pgx.Conn) error { return dropDatabase(ctx, conn, name) }); err != nil {
		return err
	}
	id := pgx.Identifier{name}.Sanitize()
	err = s.everywhere(ctx, s.url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+id+" TEMPLATE template0")
		return err
	})
	if err != nil {
		return fmt.Errorf("create template %s: %w", name, err)
	}
	if err := s.joinNodes(ctx, s.urlOf(name)); err != nil {
		return err
	}
	if err := schema.Up(ctx, s.urlOf(name)); err != nil {
		return fmt.Errorf("migrate template %s: %w", name, err)
	}
	if err := s.distribute(ctx, s.urlOf(name)); err != nil {
		return err
	}
	return s.everywhere(ctx, s.url, func(conn *pgx.Conn) error { return finishTemplate(ctx, conn, name) })
}

func finishTemplate(ctx context.Context, conn *pgx.Conn, name string) error {
	id := pgx.Identifier{name}.Sanitize()
	// A database is cloned only while nobody is connected to it (else 55006): nobody new may come, who is there goes.
	for _, step := range []string{
		"ALTER DATABASE " + id + " ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '" + name + "'",
		"ALTER DATABASE " + id + " IS_TEMPLATE true",
	} {
		if _, err := conn.Exec(ctx, step); err != nil {
			return fmt.Errorf("finish template %s: %w", name, err)
		}
	}
	return nil
}

// clone makes a database like template and returns its URL and name.
func (s *server) clone(ctx context.Context, template string) (databaseURL, name string, err error) {
	name = clonePrefix + strings.ToLower(rand.Text())
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	err = s.everywhere(ctx, s.url, func(conn *pgx.Conn) error {
		sql := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " TEMPLATE " + pgx.Identifier{template}.Sanitize()
		if serverMajor(conn) >= 15 {
			sql += " STRATEGY file_copy"
		}
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("clone %s: %w", template, err)
		}
		return nil
	})
	return s.urlOf(name), name, err
}

func (s *server) drop(ctx context.Context, name string) error {
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	return s.everywhere(ctx, s.url, func(conn *pgx.Conn) error { return dropDatabase(ctx, conn, name) })
}

func dropDatabase(ctx context.Context, conn *pgx.Conn, name string) error {
	id := pgx.Identifier{name}.Sanitize()
	if strings.HasPrefix(name, templatePrefix) {
		var marked bool
		err := conn.QueryRow(ctx, "SELECT datistemplate FROM pg_database WHERE datname = $1", name).Scan(&marked)
		if err == nil && marked {
			_, err = conn.Exec(ctx, "ALTER DATABASE "+id+" IS_TEMPLATE false")
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("unmark template %s: %w", name, err)
		}
	}
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+id+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

// admin runs f on a connection to the maintenance database, one of the idle ones if it can. There is no pool: its goroutines would
// outlive the tests.
func (s *server) admin(ctx context.Context, f func(*pgx.Conn) error) error {
	var conn *pgx.Conn
	select {
	case conn = <-s.idle:
	default:
		var err error
		if conn, err = connect(ctx, s.url); err != nil {
			return err
		}
	}
	if err := f(conn); err != nil {
		_ = conn.Close(ctx) // f's error is what counts
		return err
	}
	select {
	case s.idle <- conn:
		return nil
	default:
		return conn.Close(ctx)
	}
}

func connect(ctx context.Context, databaseURL string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return nil, fmt.Errorf("connect to the test server: %w", err)
	}
	return conn, nil
}

func on(ctx context.Context, databaseURL string, f func(*pgx.Conn) error) error {
	conn, err := connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // f's error is what counts
	return f(conn)
}

// urlOf is the server's URL with another database.
func (s *server) urlOf(database string) string {
	u, err := url.Parse(s.url)
	if err != nil || u.Scheme == "" { // key=value form, where the last word counts
		return s.url + " dbname=" + database
	}
	u.Path = "/" + database
	q := u.Query()
	q.Del("dbname") // it would win over the path
	q.Del("database")
	u.RawQuery = q.Encode()
	return u.String()
}

func serverMajor(conn *pgx.Conn) int {
	digits, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), ".")
	major, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return major
}
