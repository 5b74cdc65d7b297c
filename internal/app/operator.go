package app

import (
	"context"
	"os"
	"os/user"

	"payrelay/internal/store"
)

// reasonFlag is the flag of commands that change something and may say why.
type reasonFlag struct {
	Reason string `name:"reason" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
}

// operate opens the database for a command that changes something. Each change is written into the audit log with its author.
func operate(ctx context.Context, io *Streams, reason string) (*database, error) {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return nil, err
	}
	db.store.Operator = &store.Operator{User: operatorName(), Host: hostName(), Claimed: io.claimed, Reason: reason}
	return db, nil
}

// operatorName is who runs the command, as far as the machine knows.
func operatorName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
