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
	Listen    string `default:"127.0.0.1:8090" help:"Where the simulators listen."`
	PublicURL string `name:"public-url" help:"Where browsers reach them, if not at --listen."`
	LogLevel  string `default:"info" env:"LOG_LEVEL" help:"trace, debug, info, warn or error."`
}

// Run implements the command.
func (s sandboxCmd) Run(ctx context.Context, io *Streams) error {
	log := newLogger(io.Err, s.LogLevel)
	site, err := newListener("sandbox", s.Listen, nil, 5*time.Minute)
	if err != nil {
		return err
	}
	public := s.PublicURL
	if public == "" {
		public = site.url()
	}
	simulator, err := newSimulator(public, log)
	if err != nil {
		return err
	}
	site.server.Handler = simulator.Handler()
	fmt.Fprintf(io.Out, "The provider simulators are ready at %s\n", public)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return simulator.Run(ctx) })
	g.Go(func() error { return serve(ctx, 5*time.Second, site) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func newSimulator(publicURL string, log zerolog.Logger) (*sandbox.Sandbox, error) {
	return sandbox.New(sandbox.Config{PublicURL: publicURL, Log: log})
}
