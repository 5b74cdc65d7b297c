package benchmark

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// service is the production build of the server, with a shop and an account.
type service struct {
	binary, log    string
	environ        []string
	api, admin     string // host and port
	key, callbacks string
	cmd            *exec.Cmd
	ended          chan struct{}
}

// buildServer makes the production build.
func buildServer(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "server")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "production", "-trimpath", "-o", path, "payrelay/cmd/server") //nolint:gosec // the folder is ours
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the server: %w: %s", err, out)
	}
	return path, nil
}

// newService migrates the database and adds the shop and the account. Nothing runs yet.
func newService(ctx context.Context, binary, dir, databaseURL, provider, shop string) (*service, error) {
	s := &service{binary: binary, log: filepath.Join(dir, "server.log")}
	var err error
	if s.api, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	if s.admin, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	s.environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TZ=UTC", "DATABASE_URL=" + databaseURL, "PUBLIC_URL=http://" + s.api,
		"LISTEN_ADDR=" + s.api, "ADMIN_ADDR=" + s.admin, "PPROF=true", "DRAIN_DELAY=0s", "CALLBACK_RATE=100000",
	}
	keyset, err := s.command(ctx, "keyset", "new")
	if err != nil {
		return nil, err
	}
	s.environ = append(s.environ, "SECRET_KEYSET="+strings.TrimSpace(string(keyset)))
	if _, err := s.command(ctx, "migrate", "up"); err != nil {
		return nil, err
	}
	var made struct {
		Key      string `json:"key"`
		Callback string `json:"callback_path"`
	}
	if err := s.commandJSON(ctx, &made, "shop", "create", "bench", "--notification-url", "http://"+shop+"/notifications", "--allow-cidr", shop, "--json"); err != nil {
		return nil, err
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(callbackSecret), 0o600); err != nil {
		return nil, fmt.Errorf("write the account's secret: %w", err)
	}
	provider = "http://" + provider
	if err := s.commandJSON(ctx, &made, "account", "create", "EUR-bench", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "bench", "--secret-file", secret,
		"--pci-url", provider+"/pci", "--gateway-url", provider+"/gateway", "--reporting-url", provider+"/reporting", "--shop", "bench", "--json"); err != nil {
		return nil, err
	}
	s.key, s.callbacks = made.Key, made.Callback
	return s, nil
}

func (s *service) command(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.binary, args...) //nolint:gosec // the server that was built
	cmd.Env = s.environ
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("server %s: %w: %s", args[0], err, said.String())
	}
	return out, nil
}

func (s *service) commandJSON(ctx context.Context, into any, args ...string) error {
	out, err := s.command(ctx, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("read what server %s printed: %w", args[0], err)
	}
	return nil
}

// start starts the server and waits until it is ready.
func (s *service) start(ctx context.Context) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	s.cmd = exec.Command(s.binary, "run") //nolint:gosec,noctx // the server that was built; stop ends it
	s.cmd.Env, s.cmd.Stdout, s.cmd.Stderr = s.environ, log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	s.ended = make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	for {
		if s.ready(ctx) {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended: see %s", s.log)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func (s *service) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop ends the server as an operator does.
func (s *service) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(time.Minute):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	s.cmd = nil
}

// freeAddress is an address of this machine that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// ask reads what the shop knows.
func ask(ctx context.Context, shop, path string) (received, error) {
	var r received
	c, err := dial(ctx, shop)
	if err != nil {
		return r, err
	}
	defer func() { _ = c.conn.Close() }()
	_, answer, err := c.post([]byte("GET "+path+" HTTP/1.1\r\nHost: shop\r\n"), nil)
	if err != nil {
		return r, fmt.Errorf("ask the shop: %w", err)
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, fmt.Errorf("read the shop's answer: %w", err)
	}
	return r, nil
}

// errLost says that notifications did not come.
var errLost = errors.New("notifications did not come within a minute")

// waitPaid waits until the shop was told of so many paid orders.
func waitPaid(ctx context.Context, shop string, paid int) (received, error) {
	for deadline := time.Now().Add(time.Minute); ; {
		r, err := ask(ctx, shop, "/counts")
		if err != nil || r.Paid >= paid {
			return r, err
		}
		if time.Now().After(deadline) {
			return r, fmt.Errorf("%w: %d of %d", errLost, r.Paid, paid)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
