package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"payrelay/internal/plural"
)

type feedCmd struct {
	Rewind feedRewindCmd `cmd:"" help:"Set the feeds of all shops back, after the database lost what it had committed: a standby was promoted, or a backup was restored."`
}

type feedRewindCmd struct {
	Since  time.Time      `required:"" placeholder:"TIME" help:"From when on something may be lost, as 2026-11-29T07:00:00Z: the time of the backup, or the last time when the standby surely had everything. Earlier does no harm."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
}

// Run implements the command.
func (c feedRewindCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	if c.Since.After(db.clock.Now()) {
		return errors.New("--since is in the future: say from when on something may be lost")
	}
	shops, err := db.store.RewindFeeds(ctx, c.Since)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "The feeds of %s are set back. A cursor from before begins again at what was written since %s, less a minute.\n", plural.Of(shops, "shop", "shops"), c.Since.UTC().Format(time.RFC3339))
	return nil
}
