//go:build drill

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/localpg"
	"payrelay/migrations"
)

// The primary dies under load and its synchronous standby takes its place. No order that was acknowledged is lost, no call is refused
// but with 503, and the replicas of the service find the new primary by themselves.
func TestASynchronousStandbyTakesOver(t *testing.T) {
	t.Parallel()
	pair := newPair(t)
	require.NoError(t, migrations.Up(t.Context(), pair.url()))
	d := newDrill(t, pair.url(), os.Args[0])
	d.load.begin()
	d.orders(100)

	killed := time.Now()
	pair.kill()
	time.Sleep(3 * time.Second) // until somebody notices
	promoted := time.Now()
	pair.promote()
	d.orders(1)
	served := time.Now()
	d.orders(100)
	d.load.end()
	d.everythingArrived()
	t.Log(d.operator("audit", "verify"))
	require.Positive(t, d.load.busy, "the outage was too short to be one")
	t.Logf("no order was taken for %.1f s: %.1f s until the promotion began, %.1f s from then to the first order", served.Sub(killed).Seconds(),
		promoted.Sub(killed).Seconds(), served.Sub(promoted).Seconds())
}

// pair is a primary and its synchronous standby, both as somebody would install them.
type pair struct {
	t                *testing.T
	bin, dir         string
	account          *syscall.Credential
	primary, standby *postgres
}

type postgres struct {
	cmd  *exec.Cmd
	port string
}

func newPair(t *testing.T) *pair {
	dir, err := localpg.MkdirTemp("payrelay-failover-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &pair{t: t, dir: dir, bin: serverPrograms(t)}
	if os.Geteuid() == 0 { // Postgres does not run as root
		u, err := user.Lookup("postgres")
		require.NoError(t, err)
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		p.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // a user's number
		require.NoError(t, os.Chown(dir, uid, gid))
	}
	p.run("initdb", "--pgdata=primary", "--username=payrelay", "--auth=trust", "--encoding=UTF8", "--locale=C")
	p.primary = p.start("primary")
	p.sql(p.primary, "CREATE DATABASE payrelay")
	p.run("pg_basebackup", "--pgdata=standby", "--write-recovery-conf", "--checkpoint=fast", "--host=127.0.0.1", "--port="+p.primary.port, "--username=payrelay")
	p.standby = p.start("standby", "-c", fmt.Sprintf("primary_conninfo=host=127.0.0.1 port=%s user=payrelay application_name=standby", p.primary.port))
	p.sql(p.primary, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
	p.sql(p.primary, "SELECT pg_reload_conf()")
	eventually(t, func() bool {
		return p.ask(p.primary, "SELECT coalesce(max(sync_state), '') FROM pg_stat_replication") == "sync"
	})
	return p
}

// url names both servers; the service takes the one that can be written.
func (p *pair) url() string {
	return fmt.Sprintf("postgres://payrelay@127.0.0.1:%s,127.0.0.1:%s/payrelay?sslmode=disable&target_session_attrs=read-write", p.primary.port, p.standby.port)
}

// serverPrograms is the folder with the server's programs, pg_basebackup among them.
func serverPrograms(t *testing.T) string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_basebackup")
	require.NoError(t, err)
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	if dir := os.Getenv("POSTGRES_BIN"); dir != "" {
		return dir
	}
	require.NotEmpty(t, found, "this test needs Postgres's server programs (Debian: apt-get install postgresql), or their folder in POSTGRES_BIN")
	return filepath.Dir(found[len(found)-1])
}

func (p *pair) command(program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(p.bin, program), args...) //nolint:gosec // the server's own programs
	cmd.Dir = p.dir
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: p.account}
	return cmd
}

func (p *pair) run(program string, args ...string) {
	p.t.Helper()
	out, err := p.command(program, args...).CombinedOutput()
	require.NoError(p.t, err, "%s: %s", program, out)
}

// start starts a server and waits until it takes connections.
func (p *pair) start(data string, settings ...string) *postgres {
	p.t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(p.t))
	require.NoError(p.t, err)
	log := &lockedBuffer{}
	s := &postgres{port: port, cmd: p.command("postgres", append([]string{
		"-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
	}, settings...)...)}
	s.cmd.Stderr = log
	require.NoError(p.t, s.cmd.Start())
	p.t.Cleanup(func() { s.kill() })
	eventually(p.t, func() bool {
		conn, err := pgx.Connect(context.Background(), s.url("postgres"))
		if err != nil {
			return false
		}
		return conn.Close(context.Background()) == nil
	}, "%s", log)
	return s
}

func (s *postgres) url(database string) string {
	return "postgres://payrelay@127.0.0.1:" + s.port + "/" + database + "?sslmode=disable"
}

// kill ends a server with all its processes at once, as when its machine loses power.
func (s *postgres) kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	_ = s.cmd.Wait()
}

func (p *pair) kill() { p.primary.kill() }

func (p *pair) promote() { p.sql(p.standby, "SELECT pg_promote()") }

func (p *pair) sql(s *postgres, sql string) {
	p.t.Helper()
	conn, err := pgx.Connect(context.Background(), s.url("postgres"))
	require.NoError(p.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(context.Background(), sql)
	require.NoError(p.t, err)
}

func (p *pair) ask(s *postgres, sql string) (answer string) {
	conn, err := pgx.Connect(context.Background(), s.url("postgres"))
	require.NoError(p.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	require.NoError(p.t, conn.QueryRow(context.Background(), sql).Scan(&answer))
	return answer
}
