//go:build !production

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/sandbox"
)

type sandboxCmd struct {
	Listen    string `default:"127.0.0.1:8090" help:"Where the twins listen."`
	PublicURL string `name:"public-url" help:"Where browsers reach them, if not at --listen."`
	LogLevel  string `default:"info" env:"LOG_LEVEL" help:"trace, debug, info, warn or error."`
}

// Run implements the command.
func (s sandboxCmd) Run(ctx context.Context, io *Streams) error {
	log := newLogger(io.Err, s.LogLevel)
	site, err := newSite("sandbox", s.Listen, nil, 5*time.Minute)
	if err != nil {
		return err
	}
	public := s.PublicURL
	if public == "" {
		public = site.url()
	}
	twin, err := newTwin(public, log)
	if err != nil {
		return err
	}
	site.server.Handler = twin.Handler()
	fmt.Fprintf(io.Out, "The providers' twins are ready at %s\n", public)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return twin.Run(ctx) })
	g.Go(func() error { return serve(ctx, 5*time.Second, site) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func newTwin(publicURL string, log zerolog.Logger) (*sandbox.Sandbox, error) {
	return sandbox.New(sandbox.Config{PublicURL: publicURL, Log: log})
}
