package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"payrelay/internal/payment"
)

// inPlainWords is an error as an operator reads it: what was wrong and what to do, without codes and SQLSTATEs.
func inPlainWords(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*payment.Error](err); ok {
		text = strings.Replace(text, e.Error(), ofPayment(e), 1)
	}
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		text = strings.ReplaceAll(text, e.Error(), ofConnection(e))
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		text = strings.ReplaceAll(text, pg.Error(), ofPostgres(pg))
	}
	return text
}

// ofPayment is what an error says to people. Its cause is told only where it is the database that an operator can mend.
func ofPayment(e *payment.Error) string {
	text := e.Message
	if e.Code == payment.CodeUnavailable && e.Err != nil {
		return "the database cannot be reached or cannot work now: " + e.Err.Error()
	}
	for _, f := range e.Fields {
		text += fmt.Sprintf(" %s: %s.", f.Field, f.Message)
	}
	if e.Code == payment.CodeProviderFailed && e.Err != nil {
		text += " The cause: " + e.Err.Error()
	}
	return text
}

// The SQLSTATEs that an operator can do something about, by their names in the Postgres manual, appendix A.
var postgresAdvice = map[string]string{
	"3D000": "create the database, or mend its name in DATABASE_URL",                             // invalid_catalog_name
	"28000": "mend the role in DATABASE_URL, or pg_hba.conf",                                     // invalid_authorization_specification
	"28P01": "mend the password in DATABASE_URL",                                                 // invalid_password
	"42501": "grant the role of DATABASE_URL what it needs: 'server roles sql' makes such roles", // insufficient_privilege
	"42P01": "the database lacks migrations: run 'server migrate up' first",                      // undefined_table
	"42703": "the database lacks migrations: run 'server migrate up' first",                      // undefined_column
	"53300": "the server takes no more connections: raise max_connections, or wait",              // too_many_connections
	"25006": "this server is a read-only replica: name the primary in DATABASE_URL",              // read_only_sql_transaction
	"55P03": "somebody else holds the lock: try again",                                           // lock_not_available
	"57014": "it took too long: try again",                                                       // query_canceled
}

func ofPostgres(e *pgconn.PgError) string {
	text := "Postgres says: " + e.Message
	if advice := postgresAdvice[e.Code]; advice != "" {
		text += " (" + advice + ")"
	}
	return text
}
