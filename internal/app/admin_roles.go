package app

import (
	"fmt"

	"payrelay/migrations"
)

type rolesCmd struct {
	SQL rolesSQLCmd `cmd:"" name:"sql" help:"Print the statements that make roles with the least rights, for a superuser to run once."`
}

type rolesSQLCmd struct {
	Database string `default:"payrelay" placeholder:"NAME" help:"The name of the database."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c rolesSQLCmd) Run(io *Streams) error {
	sql := migrations.RolesSQL(c.Database)
	if c.JSON {
		return printJSON(io, map[string]string{"database": c.Database, "sql": sql})
	}
	_, err := fmt.Fprint(io.Out, sql)
	return err
}
