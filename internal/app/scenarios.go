//go:build !production

package app

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"payrelay/internal/plural"
	"payrelay/internal/sandbox/names"
	"payrelay/internal/sandbox/scenario"
	"payrelay/internal/secrets"
)

type scenariosCmd struct {
	Only []string `placeholder:"NAME" help:"Run these alone. May be given several times; a * stands for anything."`
	List bool     `help:"Print the names, and run nothing."`
	JSON bool     `name:"json" help:"Print one line of JSON for each."`
	Log  bool     `help:"Print the log of the service on standard error."`
}

// Help says what is compared.
func (scenariosCmd) Help() string {
	return "It starts what 'dev' starts, on free ports and with a database that is removed afterwards. After each scenario the order in the API, the " +
		"notifications that the shop received, and what the provider's simulator wrote down must agree. DATABASE_URL names another, empty database."
}

// Run implements the command.
func (c scenariosCmd) Run(ctx context.Context, io *Streams) error {
	list, err := c.chosen()
	if err != nil {
		return err
	}
	if c.List {
		for _, s := range list {
			fmt.Fprintln(io.Out, s.Name)
		}
		return nil
	}
	started := time.Now()
	world, end, err := c.start(ctx, io)
	if err != nil {
		return err
	}
	defer end()
	ready := time.Since(started)
	wrong := 0
	scenario.Run(ctx, world, list, func(r scenario.Result) {
		if r.Wrong != "" {
			wrong++
		}
		c.print(io.Out, r)
	})
	if !c.JSON {
		fmt.Fprintf(io.Out, "%s, %d wrong: %.1f s, and %.1f s to start\n", plural.Of(len(list), "scenario", "scenarios"), wrong, (time.Since(started) - ready).Seconds(), ready.Seconds())
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %s wrong", wrong, plural.Of(len(list), "scenario was", "scenarios were"))
	}
	return ctx.Err()
}

// chosen are the scenarios that --only names, or all.
func (c scenariosCmd) chosen() ([]scenario.Scenario, error) {
	all := scenario.All()
	if len(c.Only) == 0 {
		return all, nil
	}
	var known []string
	for _, s := range all {
		known = append(known, s.Name)
	}
	var list []scenario.Scenario
	for _, pattern := range c.Only {
		found := false
		for _, s := range all {
			if match, err := filepath.Match(pattern, s.Name); err == nil && match {
				list, found = append(list, s), true
			}
		}
		if !found {
			return nil, names.Check("scenario", pattern, known)
		}
	}
	return list, nil
}

func (c scenariosCmd) print(out io.Writer, r scenario.Result) {
	switch {
	case c.JSON:
		line, _ := json.Marshal(r) // plain values cannot fail
		fmt.Fprintf(out, "%s\n", line)
	case r.Wrong != "":
		fmt.Fprintf(out, "WRONG %5.1f s  %s: %s\n", r.Seconds, r.Name, r.Wrong)
	default:
		fmt.Fprintf(out, "ok    %5.1f s  %s\n", r.Seconds, r.Name)
	}
}

// start runs `dev` within this process, and a shop that receives its notifications. end stops both.
func (c scenariosCmd) start(ctx context.Context, streams *Streams) (world *scenario.World, end func(), err error) {
	folder, err := os.MkdirTemp("", "payrelay-scenarios-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder: %w", err)
	}
	if err := os.Chmod(folder, dataFolderMode(os.Geteuid())); err != nil {
		return nil, nil, fmt.Errorf("open the folder for Postgres: %w", err)
	}
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("listen as the shop: %w", err)
	}
	shop := scenario.NewReceiver()
	server := &http.Server{Handler: shop, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(socket) }() // ended by end
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	end = func() {
		stop()
		<-done //nolint:errcheck // start has said what was wrong
		_ = server.Close()
		_ = os.RemoveAll(folder)
	}
	log := io.Discard
	if c.Log {
		log = streams.Err
	}
	said, says := io.Pipe()
	free := "127.0.0.1:0"
	go func() {
		err := devCmd{
			Listen: free, Admin: free, Sandbox: free, Shop: free, Notify: "http://" + socket.Addr().String() + "/", Data: folder, JSON: true,
			SandboxHosts: merchantHosts{"second": free}, Recipes: true, LogLevel: "warn",
		}.Run(ctx, &Streams{Out: says, Err: log, Environ: streams.Environ})
		_ = says.CloseWithError(cmp.Or(err, io.EOF))
		done <- err
	}()
	ready, err := awaitReady(said)
	if err == nil {
		err = errors.Join(shop.Verify(ready.WebhookSecret), addSecondAccounts(ctx, ready, folder))
	}
	if err != nil {
		end()
		return nil, nil, err
	}
	return &scenario.World{API: ready.API, Simulators: ready.Sandbox, Key: ready.ShopKey, Shop: shop}, end, nil
}

func awaitReady(from io.Reader) (ready Ready, err error) {
	line, err := bufio.NewReader(from).ReadBytes('\n')
	if err != nil {
		return ready, fmt.Errorf("start the service: %w", err)
	}
	return ready, json.Unmarshal(line, &ready)
}

// addSecondAccounts gives the demo shop two accounts in one currency, at hosts that can be taken away one without the other.
func addSecondAccounts(ctx context.Context, ready Ready, folder string) error {
	var hosts []struct{ Merchant, Address string }
	if err := getJSON(ctx, ready.Sandbox+"/smartcore/control/hosts", &hosts); err != nil || len(hosts) != 1 {
		return fmt.Errorf("ask for the second merchant's host: %w", err)
	}
	environ := []string{"DATABASE_URL=" + ready.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	for i, a := range []struct{ name, merchant, secret, at string }{
		{"PLN-second", "second", "asdfgh", "http://" + hosts[0].Address},
		{"PLN-sandbox", demoMerchantKey, demoSecret, ready.Sandbox},
	} {
		file := filepath.Join(folder, a.name)
		if err := os.WriteFile(file, []byte(a.secret+"\n"), 0o600); err != nil {
			return fmt.Errorf("write a secret: %w", err)
		}
		for _, args := range [][]string{
			{
				"account", "create", a.name, "--provider", "smartcore", "--currency", "PLN", "--merchant-key", a.merchant, "--secret-file", file, "--shop", demoShop,
				"--pci-url", a.at + "/smartcore/pci", "--gateway-url", a.at + "/smartcore/gateway",
			},
			{"account", "link", a.name, "--shop", demoShop, "--priority", strconv.Itoa(i + 1)},
		} {
			var said bytes.Buffer
			if Execute(ctx, args, &Streams{Out: &said, Err: &said, Environ: environ}) != 0 {
				return fmt.Errorf("%s: %s", strings.Join(slices.Concat([]string{"server"}, args), " "), said.String())
			}
		}
	}
	return nil
}

func getJSON(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	return json.NewDecoder(res.Body).Decode(into)
}
