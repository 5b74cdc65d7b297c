//go:build !production

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"payrelay/internal/sandbox"
	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/host"
)

type sandboxCmd struct {
	Listen    string        `default:"127.0.0.1:8090" help:"Where the simulators listen."`
	PublicURL string        `name:"public-url" placeholder:"URL" help:"Where browsers reach them, if not at --listen."`
	Hosts     merchantHosts `name:"host" placeholder:"MERCHANT=ADDRESS" help:"An address for one merchant alone, which can be taken away: second=127.0.0.1:8091. May be given several times."`
	Recipes   bool          `default:"true" negatable:"" help:"Let orders of certain amounts meet a fault: see docs/guides/testing.md."`
	LogLevel  string        `default:"info" env:"LOG_LEVEL" help:"trace, debug, info, warn or error."`
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
	hosts, err := s.Hosts.open(ctx, site)
	if err != nil {
		return err
	}
	defer hosts.Close()
	simulator, err := sandbox.New(sandbox.Config{PublicURL: public, Hosts: hosts, Recipes: s.Recipes, Log: log})
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

// merchantHosts are addresses for merchants of the simulators, by merchant.
type merchantHosts map[string]string

// open listens at the addresses and passes on to the simulators' site.
func (m merchantHosts) open(ctx context.Context, site *listener) (control.Hosts, error) {
	hosts := control.Hosts{}
	for merchant, address := range m {
		one, err := host.Listen(ctx, host.Config{Address: address, Upstream: dialable(site.listener.Addr().String())})
		if err != nil {
			hosts.Close()
			return nil, fmt.Errorf("the host of merchant %s: %w", merchant, err)
		}
		hosts[merchant] = one
	}
	return hosts, nil
}
