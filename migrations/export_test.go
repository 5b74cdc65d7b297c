package migrations

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"
)

// UpTo brings the database at url to the schema of a version, as Up did when that was the newest, without partitions and rights.
func UpTo(ctx context.Context, url string, version int64) error {
	return with(ctx, url, func(p *goose.Provider, _ *sql.DB) error {
		_, err := p.UpTo(ctx, version)
		return err
	})
}

// TablesWithRights lists the tables of which it is said what the roles may do with them.
func TablesWithRights() []string {
	names := make([]string, len(tableRights))
	for i, r := range tableRights {
		names[i] = r.table
	}
	return names
}
