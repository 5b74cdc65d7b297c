//go:build !production

package app

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/sandbox"
	"payrelay/internal/sandbox/clock"
	"payrelay/internal/sandbox/control"
)

// devSites are the listeners of `dev` and the provider simulator.
type devSites struct {
	api, admin, shop *listener
	// sandbox, simulator and clock are nil if the simulator runs elsewhere.
	sandbox   *listener
	simulator *sandbox.Sandbox
	clock     *clock.Clock
	hosts     control.Hosts // of single merchants
	// sandboxURL is where this service reaches the simulator, sandboxPublic where browsers do.
	sandboxURL, sandboxPublic string
}

// served are all but the admin listener.
func (s *devSites) served() []*listener {
	sites := []*listener{s.api, s.shop}
	if s.sandbox != nil {
		sites = append(sites, s.sandbox)
	}
	return sites
}

func (d devCmd) listen(providerTimeout time.Duration, log zerolog.Logger) (s *devSites, err error) {
	s = &devSites{}
	if s.api, err = newListener("merchant API", d.Listen, nil, providerTimeout+answering); err != nil {
		return nil, err
	}
	if s.admin, err = newListener("admin listener", d.Admin, nil, 30*time.Second); err != nil {
		return nil, err
	}
	if s.shop, err = newListener("demo shop", d.Shop, nil, time.Minute); err != nil {
		if s.shop, err = newListener("demo shop", net.JoinHostPort("127.0.0.1", "0"), nil, time.Minute); err != nil {
			return nil, err
		}
	}
	if s.sandboxURL = strings.TrimRight(d.External, "/"); s.sandboxURL != "" {
		s.sandboxPublic = cmp.Or(d.SandboxPublic, s.sandboxURL)
		return s, d.checkClock()
	}
	return s, d.simulate(s, log)
}

// checkClock rejects rows of another time: simulators elsewhere have a clock of their own, which the service does not follow.
func (d devCmd) checkClock() error {
	moved, err := movedBy(d.Data, d.Fresh)
	if err == nil && moved != 0 {
		err = fmt.Errorf("the clock of %s was moved by %s, and --external-sandbox has a clock of its own: leave that out, or begin with --fresh", d.Data, moved)
	}
	return err
}

// simulate opens the listener of a simulator of our own.
func (d devCmd) simulate(s *devSites, log zerolog.Logger) (err error) {
	if s.sandbox, err = newListener("sandbox", d.Sandbox, nil, 5*time.Minute); err != nil {
		return err
	}
	s.sandboxURL = s.sandbox.url()
	s.sandboxPublic = cmp.Or(d.SandboxPublic, s.sandboxURL)
	if s.hosts, err = d.SandboxHosts.open(context.Background(), s.sandbox); err != nil {
		return err
	}
	if s.clock, err = openClock(d.Data, d.Fresh); err != nil {
		return err
	}
	if s.simulator, err = sandbox.New(sandbox.Config{PublicURL: s.sandboxPublic, Hosts: s.hosts, Recipes: d.Recipes, Clock: s.clock, Log: log}); err != nil {
		return err
	}
	s.sandbox.server.Handler = s.simulator.Handler()
	return nil
}
