package localpg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// given is a server somebody else runs.
type given struct {
	url, text string
}

func connectGiven(ctx context.Context, url string) (*given, error) {
	conf, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database URL: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("connect to the database given by URL: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // the connection was only a question
	return &given{
		url: url,
		text: fmt.Sprintf("Postgres %s at %s:%d, database %s, given by URL",
			conn.PgConn().ParameterStatus("server_version"), conf.Host, conf.Port, conf.Database),
	}, nil
}

func (g *given) URL() string                   { return g.url }
func (g *given) Describe() string              { return g.text }
func (g *given) Done() <-chan struct{}         { return nil }
func (g *given) Stop(context.Context) error    { return nil }
func (g *given) Kill() error                   { return ErrNotOurs }
func (g *given) Restart(context.Context) error { return ErrNotOurs }
