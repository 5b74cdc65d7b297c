package localpg

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// binVariable names a folder with the server's programs, and no other is used then: this is how one version among several is chosen.
const binVariable = "POSTGRES_BIN"

// binaries is a folder with the programs initdb and postgres of one version.
type binaries struct {
	dir     string
	version string // "15.18"
	major   int
}

func (b binaries) path(program string) string { return filepath.Join(b.dir, program) }

// binaryGlobs are where packages put the server's programs, most of them outside PATH.
func binaryGlobs() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                   // PGDG on Red Hat
		"/usr/libexec/postgresql*",           // Alpine
		"/usr/local/pgsql/bin",               // built from source
		"/opt/homebrew/opt/postgresql@*/bin", // Homebrew
		"/usr/local/opt/postgresql@*/bin",    // Homebrew on Intel
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	}
}

// findBinaries lists the usable servers on this machine, the newest first. Usable means that acct can run them.
func findBinaries(ctx context.Context, acct *account, pathList string, globs []string) []binaries {
	dirs := filepath.SplitList(pathList)
	for _, glob := range globs {
		found, err := filepath.Glob(glob)
		if err == nil { // the only possible error is a malformed pattern
			dirs = append(dirs, found...)
		}
	}
	var all []binaries
	seen := map[string]bool{}
	for _, dir := range dirs {
		// A link in PATH points at the folder where the rest of the programs are.
		real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil || seen[filepath.Dir(real)] {
			continue
		}
		seen[filepath.Dir(real)] = true
		if b, err := inspectBinaries(ctx, filepath.Dir(real), acct); err == nil {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b binaries) int { return cmp.Compare(b.major, a.major) })
	return all
}

// inspectBinaries runs postgres --version as acct, which also proves that acct may run it.
func inspectBinaries(ctx context.Context, dir string, acct *account) (binaries, error) {
	b := binaries{dir: dir}
	if _, err := os.Stat(b.path("initdb")); err != nil {
		return b, fmt.Errorf("look for initdb: %w", err)
	}
	out, err := command(ctx, acct, "/", b.path("postgres"), "--version").Output()
	if err != nil {
		return b, fmt.Errorf("ask %s for its version: %w", b.path("postgres"), err)
	}
	// postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
	_, rest, _ := strings.Cut(string(out), "(PostgreSQL) ")
	if fields := strings.Fields(rest); len(fields) > 0 {
		b.version = fields[0]
	}
	digits := b.version
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i]
	}
	if b.major, err = strconv.Atoi(digits); err != nil {
		return b, fmt.Errorf("read the version of %s: %w", b.path("postgres"), err)
	}
	return b, nil
}

// command prepares a program of the server, run as acct, in folder, with an environment in which no PG* or locale
// variable of the caller can change what it does.
func command(ctx context.Context, acct *account, folder, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // the programs are the server's own
	cmd.Dir = folder
	cmd.SysProcAttr = childAttributes(acct)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}
