package localpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the unprivileged user a program run by root starts Postgres as; nil means the program's own user.
type account struct {
	name     string
	uid, gid uint32
}

// serverAccount picks the account: Postgres refuses to run as root.
func serverAccount() *account {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return &account{name: name, uid: uint32(uid), gid: uint32(gid)}
		}
	}
	return &account{name: "uid 65534", uid: 65534, gid: 65534}
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own hands everything under path to the account. Links are not followed.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, int(a.uid), int(a.gid)) //nolint:gosec // a folder of ours; links are not followed
	})
}

// MkdirTemp makes a temporary folder that the account of Postgres may pass through, so that a server's data lies below it and goes
// with it.
func MkdirTemp(pattern string) (string, error) { return mkdirTemp("", pattern) }

func mkdirTemp(parent, pattern string) (string, error) {
	dir, err := os.MkdirTemp(parent, pattern)
	if err == nil {
		err = os.Chmod(dir, 0o711) //nolint:gosec // see above
	}
	if err != nil {
		return "", fmt.Errorf("make a temporary folder: %w", err)
	}
	return dir, nil
}

// chooseDir makes the directory for opts.Dir, or for the one that stands in when acct cannot reach it.
func chooseDir(ctx context.Context, opts Options, acct *account, bin binaries) (string, error) {
	if err := os.MkdirAll(filepath.Dir(opts.Dir), 0o755); err != nil { //nolint:gosec // the account must pass through
		return "", fmt.Errorf("make the folder above %s: %w", opts.Dir, err)
	}
	if err := claimDir(opts.Dir, acct); err != nil {
		return "", err
	}
	if acct.canReach(ctx, opts.Dir, bin) {
		return opts.Dir, nil
	}
	sum := sha256.Sum256([]byte(opts.Dir))
	name := "payrelay-postgres-" + hex.EncodeToString(sum[:6])
	for _, base := range []string{"/var/lib", os.TempDir()} {
		dir := filepath.Join(base, name)
		// The name can be foretold and the temporary directory is open to all: a folder or link planted there is not ours.
		if claimDir(dir, acct) != nil || !acct.owns(dir) || !acct.canReach(ctx, dir, bin) {
			continue
		}
		opts.Logf("postgres: runs as %s, who cannot enter %s; its data is kept in %s", acct.name, opts.Dir, dir)
		return dir, nil
	}
	return "", fmt.Errorf("postgres runs as %s, who cannot enter %s, nor a folder under /var/lib or %s: choose another directory",
		acct.name, opts.Dir, os.TempDir())
}

// claimDir makes dir when missing and, when it holds nothing but our own files, hands it to acct. A folder with other
// things in it keeps its owner.
func claimDir(dir string, acct *account) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return fmt.Errorf("make the data folder: %w", err)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if acct == nil {
		return nil
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && st.Uid != acct.uid {
		return nil // somebody else's: left as it is, and used only if the account can enter it
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return fmt.Errorf("look at the data folder: %w", err)
	}
	for _, e := range entries {
		switch e.Name() {
		case lockName, logName, oldLogName, clusterName, newClusterName:
		default:
			return nil
		}
	}
	if err := os.Chown(real, int(acct.uid), int(acct.gid)); err != nil {
		return fmt.Errorf("hand the data folder to %s: %w", acct.name, err)
	}
	return nil
}

// owns reports whether dir itself, not what a link points at, is a folder of the account.
func (a *account) owns(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == a.uid
}

// canReach asks the system rather than the mode bits: it runs a program as the account inside dir.
func (a *account) canReach(ctx context.Context, dir string, bin binaries) bool {
	return a == nil || command(ctx, a, dir, bin.path("postgres"), "--version").Run() == nil
}
