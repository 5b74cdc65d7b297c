package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/localpg"
	"payrelay/migrations"
	"payrelay/test/faults/bugs"
	"payrelay/test/overlay"
)

const (
	template = "faults_template"
	appRole  = "faults_app"
)

// Build makes the server that the harness can hurt, in the folder dir, and returns its path. safeguards are names of bugs.All
// that it is built without.
func Build(ctx context.Context, dir, safeguards string) (string, error) {
	edits, err := bugs.Edits(safeguards)
	if err != nil {
		return "", err
	}
	root, err := overlay.Root(ctx)
	if err != nil {
		return "", err
	}
	edited, err := overlay.Write(root, dir, edits)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "server")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "faults", "-overlay", edited, "-o", path, "payrelay/cmd/server") //nolint:gosec // the folder is ours
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w: %s", err, out)
	}
	return path, nil
}

// Database is a real Postgres with a migrated template, used by one run at a time.
type Database struct {
	mu     sync.Mutex // crashes and restarts
	server *localpg.Server
	admin  string // URL of a superuser
}

// StartDatabase starts Postgres in dir. It keeps every promise that its settings make against the death of a process;
// fsync is off because no machine dies here.
func StartDatabase(ctx context.Context, dir string) (*Database, error) {
	server, err := localpg.Start(ctx, localpg.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	d := &Database{server: server, admin: server.URL()}
	if err := d.prepare(ctx); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return d, nil
}

func (d *Database) prepare(ctx context.Context) error {
	for _, sql := range []string{
		"ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET autovacuum = off", "ALTER SYSTEM SET log_min_messages = 'fatal'", "SELECT pg_reload_conf()",
		"DROP DATABASE IF EXISTS " + template, "DROP ROLE IF EXISTS " + appRole,
		"CREATE ROLE " + appRole + " LOGIN PASSWORD 'app'", "CREATE DATABASE " + template + " OWNER " + appRole,
	} {
		if err := d.exec(ctx, d.admin, sql); err != nil {
			return err
		}
	}
	return migrations.Up(ctx, d.url(template, ""))
}

// Stop ends Postgres.
func (d *Database) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return d.server.Stop(ctx)
}

// url is the application's way to a database, by way of host, or directly if host is empty.
func (d *Database) url(database, host string) string {
	u, err := url.Parse(d.admin)
	if err != nil {
		panic(err) // localpg makes it
	}
	u.User, u.Path = url.UserPassword(appRole, "app"), "/"+database
	if host != "" {
		u.Host = host
	}
	return u.String()
}

func (d *Database) address() string {
	u, err := url.Parse(d.admin)
	if err != nil {
		panic(err) // localpg makes it
	}
	return u.Host
}

func (d *Database) exec(ctx context.Context, address, sql string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// create clones the template.
func (d *Database) create(ctx context.Context, name string) error {
	sql := "CREATE DATABASE " + name + " TEMPLATE " + template + " OWNER " + appRole
	var err error
	for range 20 {
		if err = d.exec(ctx, d.admin, sql); err == nil {
			return nil
		}
		if !wait(ctx, 250*time.Millisecond) {
			break
		}
	}
	return err
}

func (d *Database) drop(ctx context.Context, name string) error {
	return d.exec(ctx, d.admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}

// crash ends Postgres at once, as pg_ctl stop -m immediate does, and starts it again after a while.
func (d *Database) crash(ctx context.Context, away time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.server.Kill(); err != nil {
		return err
	}
	wait(ctx, away)
	return d.server.Restart(context.WithoutCancel(ctx))
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// freeAddress is an address of this machine that nobody listens on, with a port below those that outgoing connections
// get: a replica that is away must find it free again.
func freeAddress(ctx context.Context) (string, error) {
	var last error
	for range 50 {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", 12_000+rand.IntN(20_000))) //nolint:gosec // any will do
		if err == nil {
			return l.Addr().String(), l.Close()
		}
		last = err
	}
	return "", fmt.Errorf("find a free port: %w", last)
}

// environ is the environment of a replica: only what it needs.
func environ(set map[string]string) []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TZ=UTC", "GOMAXPROCS=2"}
	for name, value := range set {
		if value != "" {
			list = append(list, strings.ToUpper(name)+"="+value)
		}
	}
	return list
}
