package localpg

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	containerImage = "postgres:17-alpine"
	// containerData is above PGDATA, which is itself not a mount point.
	containerData = "/var/lib/postgresql/data"
	// dockerAnswers is how long a Docker daemon has to answer before it counts as absent.
	dockerAnswers = 2 * time.Second
)

// boxed is a server in a container that the docker command line runs. Its data is in a named volume.
type boxed struct {
	name     string
	port     int
	password string
	database string
}

// fromContainer runs a server in a container, if a Docker daemon answers. A container that a killed program left behind is
// replaced: its name follows from the directory.
func fromContainer(ctx context.Context, opts Options) (backend, error) {
	asked, cancel := context.WithTimeout(ctx, dockerAnswers)
	defer cancel()
	if err := docker(asked, nil, "info"); err != nil {
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
	b := &boxed{name: "payrelay-postgres-" + digest(opts.Dir), port: port, password: password, database: opts.Database}
	if b.database == "" {
		b.database = maintenanceDatabase
	}
	_ = docker(ctx, nil, "rm", "--force", b.name) // usually there is none
	args := []string{
		"run", "--detach", "--name", b.name, "--publish", fmt.Sprintf("127.0.0.1:%d:5432", port),
		// A new password is a new volume: so Fresh starts empty, and no volume meets a password that is not its own.
		"--volume", "payrelay-postgres-" + digest(opts.Dir+password) + ":" + containerData,
		"--env", "POSTGRES_PASSWORD", "--env", "POSTGRES_USER=" + superuser, "--env", "POSTGRES_DB=" + maintenanceDatabase,
		"--env", "PGDATA=" + containerData + "/cluster", "--env", "POSTGRES_INITDB_ARGS=--locale=C --encoding=UTF8",
		containerImage, "postgres", "-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse",
	}
	opts.Logf("postgres: Docker starts %s, and fetches it the first time", containerImage)
	err = docker(ctx, []string{"POSTGRES_PASSWORD=" + password}, args...)
	if err == nil {
		err = b.waitReady(ctx)
	}
	if err != nil {
		_ = b.Stop(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("start a Postgres container: %w", err)
	}
	return b, nil
}

// docker runs the docker command line. Secrets go by its environment, never by its arguments.
func docker(ctx context.Context, environ []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "docker", args...) //nolint:gosec // the arguments are ours
	cmd.Env = append(os.Environ(), environ...)
	var text bytes.Buffer
	cmd.Stderr = &text
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("docker %s: %w: %s", args[0], errors.Join(err, ctx.Err()), bytes.TrimSpace(text.Bytes()))
	}
	return nil
}

// digest is a short name for something.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
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

// waitReady connects until it succeeds. While the image prepares its data it serves no TCP, so success is final. The database
// that is wanted is made after that.
func (b *boxed) waitReady(ctx context.Context) error {
	err := poll(ctx, func() (bool, error) {
		conn, err := pgx.Connect(ctx, serverURL(b.port, b.password, maintenanceDatabase))
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
	err := docker(ctx, nil, "stop", b.name)
	return errors.Join(err, docker(context.WithoutCancel(ctx), nil, "rm", "--force", b.name))
}

func (b *boxed) Kill() error { return docker(context.Background(), nil, "kill", b.name) }

func (b *boxed) Restart(ctx context.Context) error {
	if err := docker(ctx, nil, "restart", b.name); err != nil {
		return err
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
