package localpg

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

const (
	containerImage = "postgres:17-alpine"
	containerPort  = "5432/tcp"
	// containerData is above PGDATA, which is itself not a mount point.
	containerData = "/var/lib/postgresql/data"
)

// boxed is a server in a container. Testcontainers' own helper removes the container after the program's death; the
// data is in a named volume, which it leaves alone.
type boxed struct {
	box      testcontainers.Container
	port     int
	password string
	database string
}

// fromContainer runs a server in a container, if there is something to run one.
func fromContainer(ctx context.Context, opts Options) (backend, error) {
	if err := containersWork(ctx); err != nil {
		return nil, fmt.Errorf("a container: %w: %w", errUnavailable, err)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	password, err := containerPassword(opts)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	b := &boxed{port: port, password: password, database: opts.Database}
	if b.database == "" {
		b.database = maintenanceDatabase
	}
	// A new password is a new volume: so Fresh starts empty, and no volume meets a password that is not its own.
	sum := sha256.Sum256([]byte(opts.Dir + password))
	volume := "payrelay-postgres-" + hex.EncodeToString(sum[:6])
	cmd := []string{"postgres", "-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse"}
	if opts.Fast {
		cmd = append(cmd, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
			"-c", "max_connections=300", "-c", "autovacuum=off")
	}
	b.box, err = testcontainers.Run(ctx, containerImage,
		testcontainers.WithLogger(logTo(opts.Logf)),
		testcontainers.WithEnv(map[string]string{
			"POSTGRES_USER": superuser, "POSTGRES_PASSWORD": password, "POSTGRES_DB": maintenanceDatabase,
			"PGDATA": containerData + "/cluster", "POSTGRES_INITDB_ARGS": "--locale=C --encoding=UTF8",
		}),
		testcontainers.WithExposedPorts(containerPort),
		testcontainers.WithCmd(cmd...),
		testcontainers.WithHostConfigModifier(func(host *container.HostConfig) {
			host.PortBindings = network.PortMap{network.MustParsePort(containerPort): {{
				HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(port),
			}}}
			host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: volume, Target: containerData})
		}),
	)
	if err == nil {
		err = b.waitReady(ctx)
	}
	if err != nil {
		_ = testcontainers.TerminateContainer(b.box)
		return nil, fmt.Errorf("start a Postgres container: %w", err)
	}
	return b, nil
}

// containersWork asks for a healthy provider. The library panics when it finds none.
func containersWork(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("no container provider: %v", r)
		}
	}()
	provider, err := testcontainers.NewDockerProvider(testcontainers.WithLogger(logTo(nil)))
	if err != nil {
		return fmt.Errorf("find a container provider: %w", err)
	}
	defer provider.Close() //nolint:errcheck // it was only asked a question
	if err := provider.Health(ctx); err != nil {
		return fmt.Errorf("ask the container provider for its health: %w", err)
	}
	return nil
}

// containerPassword reads the password of the directory's volume, or makes one.
func containerPassword(opts Options) (string, error) {
	path := filepath.Join(opts.Dir, "container-password")
	if !opts.Fresh {
		if text, err := os.ReadFile(path); err == nil { //nolint:gosec // our own file
			return strings.TrimSpace(string(text)), nil
		}
	}
	password := rand.Text()
	if err := os.WriteFile(path, []byte(password), 0o600); err != nil {
		return "", fmt.Errorf("keep the container's password: %w", err)
	}
	return password, nil
}

// waitReady connects until it succeeds. While the image prepares its data it serves no TCP, so success is final.
func (b *boxed) waitReady(ctx context.Context) error {
	err := poll(ctx, func() (bool, error) {
		conn, err := pgx.Connect(ctx, b.URL())
		if err != nil {
			return false, pause(ctx, 100*time.Millisecond)
		}
		return true, conn.Close(ctx)
	})
	if err != nil {
		return fmt.Errorf("wait for postgres in the container: %w", err)
	}
	return nil
}

func (b *boxed) URL() string { return serverURL(b.port, b.password, b.database) }

func (b *boxed) Describe() string {
	return fmt.Sprintf("Postgres on 127.0.0.1:%d in a container of %s", b.port, containerImage)
}

func (b *boxed) Done() <-chan struct{} { return nil }

func (b *boxed) Stop(ctx context.Context) error {
	if err := testcontainers.TerminateContainer(b.box, testcontainers.StopContext(ctx)); err != nil {
		return fmt.Errorf("stop the Postgres container: %w", err)
	}
	return nil
}

func (b *boxed) Kill() error {
	var none time.Duration
	if err := b.box.Stop(context.Background(), &none); err != nil {
		return fmt.Errorf("kill the Postgres container: %w", err)
	}
	return nil
}

func (b *boxed) Restart(ctx context.Context) error {
	if b.box.IsRunning() {
		if err := b.box.Stop(ctx, nil); err != nil {
			return fmt.Errorf("stop the Postgres container: %w", err)
		}
	}
	if err := b.box.Start(ctx); err != nil {
		return fmt.Errorf("start the Postgres container: %w", err)
	}
	return b.waitReady(ctx)
}

// serverURL names a database of a server of ours.
func serverURL(port int, password, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// logTo passes the library's lines on.
type logTo func(format string, args ...any)

var _ tclog.Logger = logTo(nil)

// Printf implements the library's logger.
func (l logTo) Printf(format string, args ...any) {
	if l != nil {
		l("postgres container: "+format, args...)
	}
}
