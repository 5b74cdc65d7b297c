package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/gateway"
	"payrelay/internal/secrets"
	"payrelay/internal/store"
	"payrelay/migrations"

	httpapi "payrelay/internal/http"
)

// database is what operators' commands need. DATABASE_URL and SECRET_KEYSET come from the environment, or from the
// `dev` that runs in this folder.
type database struct {
	store *store.Store
	clock *store.Clock // the service's, whatever time it is on the operator's machine
	demo  bool
	close func()
}

func databaseURL(ctx context.Context, io *Streams) (url string, dev bool, err error) {
	vars := map[string]string{}
	for _, name := range []string{"DATABASE_URL", "DATABASE_URL_FILE", "SECRET_KEYSET", "SECRET_KEYSET_FILE"} {
		vars[name] = lookup(io.Environ, name)
	}
	if problems := secretFiles(configType, vars); len(problems) > 0 {
		return "", false, fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	if vars["DATABASE_URL"] != "" {
		return vars["DATABASE_URL"], false, nil
	}
	running, err := runningReady(ctx, devFolder)
	if err != nil {
		return "", false, fmt.Errorf("DATABASE_URL is not set: set it to the database of the service, or run this in the folder of a 'server dev'; %w", err)
	}
	return running.DatabaseURL, true, nil
}

func openDatabase(ctx context.Context, io *Streams) (*database, error) {
	url, _, err := databaseURL(ctx, io)
	if err != nil {
		return nil, err
	}
	keyset, err := givenKeyset(io)
	if err != nil {
		return nil, err
	}
	pool, err := openPool(ctx, config{DatabaseURL: gateway.Secret(url), DatabasePool: 2})
	if err != nil {
		return nil, err
	}
	demo := false
	if keyset == "" {
		if demo, err = openedByDemoKeyset(ctx, pool); err != nil || !demo {
			pool.Close()
			if err != nil {
				return nil, fmt.Errorf("read the database: %w", err)
			}
			return nil, errNoKeysetGiven
		}
		keyset = secrets.DemoKeyset
	}
	keyring, err := openKeyring(keyset, true)
	if err != nil {
		pool.Close()
		return nil, err
	}
	clock, err := store.NewClock(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	st := store.New(pool, store.Options{Keyring: keyring, Render: httpapi.RenderNotification, Now: clock.Now, OwnSchedules: ownSchedules()})
	return &database{st, clock, demo, pool.Close}, nil
}

// openedByDemoKeyset reports whether a database is one that `dev` made: only that opens with the well-known keyset.
func openedByDemoKeyset(ctx context.Context, pool *pgxpool.Pool) (bool, error) {
	keyring, err := openKeyring(secrets.DemoKeyset, true)
	if err != nil {
		return false, err
	}
	return store.New(pool, store.Options{Keyring: keyring}).OpensServiceKeys(ctx)
}

// errNoKeysetGiven says that a command needs the service's keyset.
var errNoKeysetGiven = errors.New("SECRET_KEYSET is not set: set it to the keyset of the service, or make one with 'server keyset new'. A database of 'server dev' needs none, but for its keyset there are no commands: everybody can read it")

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Bring the database to the newest schema."`
	Status migrateStatusCmd `cmd:"" help:"List migrations and when they ran."`
}

type migrateUpCmd struct{}

// Run implements the command.
func (migrateUpCmd) Run(ctx context.Context, io *Streams) error {
	url, err := migrateURL(ctx, io)
	if err != nil {
		return err
	}
	if err := migrations.Up(ctx, url); err != nil {
		return err
	}
	fmt.Fprintln(io.Out, "The database has the newest schema.")
	return nil
}

type migrateStatusCmd struct{}

// Run implements the command.
func (migrateStatusCmd) Run(ctx context.Context, io *Streams) error {
	url, err := migrateURL(ctx, io)
	if err != nil {
		return err
	}
	list, err := migrations.List(ctx, url)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	for _, m := range list {
		when := "pending"
		if !m.AppliedAt.IsZero() {
			when = m.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\n", m.Version, m.Name, when)
	}
	return w.Flush()
}

// migrateURL prefers the direct connection where there is one.
func migrateURL(ctx context.Context, io *Streams) (string, error) {
	vars := map[string]string{"MIGRATE_DATABASE_URL": lookup(io.Environ, "MIGRATE_DATABASE_URL"), "MIGRATE_DATABASE_URL_FILE": lookup(io.Environ, "MIGRATE_DATABASE_URL_FILE")}
	if problems := secretFiles(configType, vars); len(problems) > 0 {
		return "", fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	if vars["MIGRATE_DATABASE_URL"] != "" {
		return vars["MIGRATE_DATABASE_URL"], nil
	}
	url, _, err := databaseURL(ctx, io)
	return url, err
}

func printJSON(io *Streams, v any) error {
	e := json.NewEncoder(io.Out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
