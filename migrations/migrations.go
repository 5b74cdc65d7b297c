package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"payrelay/internal/pgsession"
)

//go:embed *.sql
var files embed.FS

// ErrOldLayout is returned for a database that a version before the first release made. Its schema was edited in place since.
var ErrOldLayout = errors.New("this database has the layout of a version before the first release, and nothing carries it over: " +
	"give the program an empty database, or run 'server dev --fresh' for a development one")

// Status is one migration and when it ran.
type Status struct {
	Version   int64     `json:"version"`
	Name      string    `json:"name"`
	AppliedAt time.Time `json:"applied_at,omitzero"` // zero: pending
}

// Up brings the database at url to the newest schema, and grants the roles that exist what they need. Several programs may call it at once: one runs, the others wait.
// It needs a direct connection, not one through a transaction pooler.
func Up(ctx context.Context, url string) error {
	return with(ctx, url, func(p *goose.Provider, db *sql.DB) error {
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("migrate the database: %w", err)
		}
		if err := makePartitions(ctx, db); err != nil {
			return err
		}
		return grant(ctx, db)
	})
}

// makePartitions makes the partitions of this month and the next two. The service makes further ones as time goes by.
func makePartitions(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, "SELECT make_partitions((now() AT TIME ZONE 'UTC' + n * interval '1 month')::date) FROM generate_series(0, 2) n"); err != nil {
		return fmt.Errorf("make the partitions of these months: %w", err)
	}
	return nil
}

// List tells which migrations ran.
func List(ctx context.Context, url string) ([]Status, error) {
	var list []Status
	err := with(ctx, url, func(p *goose.Provider, _ *sql.DB) error {
		all, err := p.Status(ctx)
		if err != nil {
			return fmt.Errorf("read the state of migrations: %w", err)
		}
		for _, s := range all {
			list = append(list, Status{Version: s.Source.Version, Name: s.Source.Path, AppliedAt: s.AppliedAt})
		}
		return nil
	})
	return list, err
}

// Pending reports whether the database lacks a migration that this program has.
func Pending(ctx context.Context, url string) (bool, error) {
	pending := false
	err := with(ctx, url, func(p *goose.Provider, _ *sql.DB) error {
		var err error
		pending, err = p.HasPending(ctx)
		return err
	})
	return pending, err
}

// Fingerprint changes with every change of a migration. Tests name their template database by it.
func Fingerprint() string {
	sum := sha256.New()
	_ = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _ := files.ReadFile(path)
			sum.Write(b)
		}
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

func with(ctx context.Context, url string, do func(*goose.Provider, *sql.DB) error) (err error) {
	conf, err := pgx.ParseConfig(url)
	if err != nil {
		return errors.New("the database's address cannot be read: it should look like postgres://user:password@host/database")
	}
	if _, err := pgsession.LinkOf(conf); err != nil {
		return fmt.Errorf("the database's address: %w", err)
	}
	pgsession.Configure(conf, pgsession.Pooled(conf))
	db := stdlib.OpenDB(*conf, stdlib.OptionAfterConnect(pgsession.Check))
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkLayout(ctx, db); err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fmt.Errorf("make the migration lock: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	return do(p, db)
}

// checkLayout recognizes a database of the old layout by a table of the present one that it does not have.
func checkLayout(ctx context.Context, db *sql.DB) error {
	var old bool
	err := db.QueryRowContext(ctx, `SELECT to_regclass('orders') IS NOT NULL AND to_regclass('callback_keys') IS NULL`).Scan(&old)
	if err != nil {
		return fmt.Errorf("read the database's layout: %w", err)
	}
	if old {
		return ErrOldLayout
	}
	return nil
}
