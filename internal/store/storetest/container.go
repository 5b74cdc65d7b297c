package storetest

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

// startContainer runs a server in a container, as fast and as forgetful as one of ours, and returns its URL. The image is
// TEST_POSTGRES_IMAGE, if that is set. The library's own helper removes it after the test binary's end.
func startContainer(ctx context.Context) (string, error) {
	c, err := postgres.Run(ctx, cmp.Or(os.Getenv("TEST_POSTGRES_IMAGE"), "postgres:17-alpine"), postgres.BasicWaitStrategies(), postgres.WithDatabase("postgres"),
		testcontainers.WithCmd("postgres", "-c", "fsync=off", "-c", "full_page_writes=off",
			"-c", "max_connections=300", "-c", "autovacuum=off"))
	if err != nil {
		return "", fmt.Errorf("start a Postgres container for tests (install Postgres's server binaries, or set TEST_DATABASE_URL, to go without Docker): %w", err)
	}
	url, err := c.ConnectionString(ctx, "sslmode=disable")
	if err != nil {
		return "", fmt.Errorf("read the container's address: %w", err)
	}
	return url, nil
}
