package localpg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// downloadVersion is the server fetched when the machine has none.
const downloadVersion = embeddedpostgres.V17

// fromDownload fetches server binaries once, keeps them in the user's cache, and runs them like installed ones.
func fromDownload(ctx context.Context, opts Options) (backend, error) {
	acct := serverAccount()
	base, err := downloadDir(acct)
	if err != nil {
		return nil, fmt.Errorf("a download: %w: %w", errUnavailable, err)
	}
	runtimeDir := filepath.Join(base, string(downloadVersion))
	bin, err := inspectBinaries(ctx, filepath.Join(runtimeDir, "bin"), acct)
	if err != nil {
		opts.Logf("postgres: none on this machine, version %s is fetched, once", downloadVersion)
		if err := fetch(ctx, base, runtimeDir); err != nil {
			return nil, fmt.Errorf("a download: %w: %w", errUnavailable, err)
		}
		if bin, err = inspectBinaries(ctx, filepath.Join(runtimeDir, "bin"), acct); err != nil {
			return nil, fmt.Errorf("a download: %w: %w", errUnavailable, err)
		}
	}
	return startCluster(ctx, opts, acct, []binaries{bin})
}

// downloadDir is where fetched binaries are kept: a place that the account can reach.
func downloadDir(acct *account) (string, error) {
	if acct != nil {
		return "/var/lib/payrelay-postgres-binaries", nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(cache, "payrelay-postgres"), nil
}

// fetch lets embedded-postgres download and unpack. It can only do so by starting a server, whose data is thrown away;
// as root that last step fails, with the binaries in place, so the caller judges by those.
func fetch(ctx context.Context, base, runtimeDir string) error {
	scratch, err := os.MkdirTemp("", "payrelay-fetch-")
	if err != nil {
		return fmt.Errorf("make a scratch folder: %w", err)
	}
	log, err := os.Create(filepath.Join(scratch, logName)) //nolint:gosec // in a folder just made
	if err != nil {
		return fmt.Errorf("make a scratch log: %w", err)
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	server := embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
		Version(downloadVersion).Port(uint32(port)).CachePath(base).Logger(log). //nolint:gosec // a port fits
		BinariesPath(runtimeDir).RuntimePath(filepath.Join(scratch, "run")).DataPath(filepath.Join(scratch, "data")))
	done := make(chan error, 1)
	go func() { // the library knows no context; on cancelation it ends with its download
		defer os.RemoveAll(scratch) //nolint:errcheck // a temporary folder
		defer log.Close()           //nolint:errcheck // a scratch log
		err := server.Start()
		if err == nil {
			err = server.Stop()
		}
		done <- err
	}()
	select {
	case err := <-done:
		if _, statErr := os.Stat(filepath.Join(runtimeDir, "bin", "postgres")); statErr == nil {
			return nil
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("fetch a server: %w", ctx.Err())
	}
}
