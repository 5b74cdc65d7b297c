package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"payrelay/internal/clientaddr"
)

type runCmd struct{}

// Help lists every variable of the environment.
func (runCmd) Help() string { return describeConfig() }

// Run implements the command.
func (runCmd) Run(ctx context.Context, io *Streams) error {
	c, err := loadConfig(io.Environ)
	if err != nil {
		return err
	}
	if err := checkFileLimit(c); err != nil {
		return err
	}
	log := newLogger(io.Err, c.LogLevel).With().Str("replica", hostName()).Str("version", thisBuild().Version).Logger()
	a, err := assemble(ctx, c, log, false)
	if err != nil {
		return err
	}
	api, admin, err := a.listeners()
	if err != nil {
		a.pool.Close()
		return err
	}
	defer reserveHeap()()
	log.Info().EmbedObject(thisBuild()).Str("api", api.url()).Str("admin", admin.url()).Msg("serving")
	return a.run(ctx, admin, api)
}

// listeners opens the two listeners.
func (a *app) listeners() (api, admin *listener, err error) {
	if api, err = newListener("merchant API", a.config.ListenAddr, a.api, a.config.ProviderTimeout+answering); err != nil {
		return nil, nil, err
	}
	api.connections = a.connections["api"]
	if a.clients.Source() == clientaddr.ProxyProtocol {
		api.listener = proxied(api.listener, a.clients)
	}
	if admin, err = newListener("admin listener", a.config.AdminAddr, a.admin, 30*time.Second); err != nil {
		_ = api.listener.Close()
		return nil, nil, err
	}
	admin.connections = a.connections["admin"]
	api.own, admin.own = true, true
	return api, admin, nil
}

type healthcheckCmd struct {
	URL string `name:"url" default:"http://127.0.0.1:9090/readyz" help:"The address to ask."`
}

// Run implements the command.
func (h healthcheckCmd) Run(ctx context.Context, _ *Streams) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return fmt.Errorf("--url is not an address: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the service does not answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the service says %s", res.Status)
	}
	return nil
}
