package storetest

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"payrelay/migrations"
)

// rolesPassword is that of all roles of tests.
const rolesPassword = "roles"

// Roles makes a database as 'server roles sql' says and migrates it. It returns the URL by which a role reaches it; "" is the
// superuser.
func Roles(t testing.TB) func(role string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), opLimit)
	defer cancel()
	database := Empty(t)
	as := func(role string) string {
		u, err := url.Parse(database)
		if err != nil {
			t.Fatalf("storetest: %v", err)
		}
		if role != "" {
			u.User = url.UserPassword(role, rolesPassword)
		}
		return u.String()
	}
	srv, err := theServer(ctx)
	if err == nil {
		err = srv.everywhere(ctx, database, func(conn *pgx.Conn) error { return makeRoles(ctx, conn) })
	}
	if err != nil {
		t.Fatalf("storetest: make the roles: %v", err)
	}
	if err := up(ctx, as(migrations.RoleMigrate)); err != nil {
		t.Fatalf("storetest: migrate as %s: %v", migrations.RoleMigrate, err)
	}
	return func(role string) string {
		u, err := throughPooler(as(role))
		if err != nil {
			t.Fatalf("storetest: %v", err)
		}
		return u
	}
}

// makeRoles runs the statements that operators run. Another test may have made the roles, which all databases of the server share.
func makeRoles(ctx context.Context, conn *pgx.Conn) error {
	for statement := range strings.SplitSeq(migrations.RolesSQL(conn.Config().Database), ";\n") {
		statement = strings.ReplaceAll(statement, " LOGIN", " LOGIN PASSWORD '"+rolesPassword+"'")
		_, err := conn.Exec(ctx, statement)
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && slices.Contains([]string{"42710", "23505"}, pg.Code) { // there already, or at this moment
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
