package localpg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// dirVariable makes the test binary play the program that is killed: it starts a server there and waits.
const dirVariable = "LOCALPG_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirVariable); dir != "" {
		os.Exit(playProgram(dir))
	}
	code := m.Run()
	if made.dir != "" {
		_ = os.RemoveAll(made.dir)
	}
	os.Exit(code)
}

func playProgram(dir string) int {
	s, err := startMachine(context.Background(), Options{Dir: dir, Fast: true})
	if err != nil {
		_, _ = os.Stdout.WriteString("error " + err.Error() + "\n")
		return 1
	}
	_, _ = os.Stdout.WriteString("ready " + s.URL() + "\n")
	<-s.Done() // only a signal ends this
	return 0
}

// startMachine is Start without containers and downloads: here the machine's own server is what is tested.
func startMachine(ctx context.Context, opts Options) (*Server, error) {
	return start(ctx, opts, []source{fromMachine})
}

func run(t *testing.T, opts Options) *Server {
	t.Helper()
	opts.Logf = t.Logf
	s, err := startMachine(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	return s
}

// sharedDir is a folder that an unprivileged account can reach; t.TempDir is not always one.
func sharedDir(t *testing.T) string {
	t.Helper()
	top, err := mkdirTemp(FastDir(), "localpg-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(top)) })
	return filepath.Join(top, "pg")
}

// made is a cluster that nothing has happened to yet, for tests that are not about making one: initdb costs more than all else
// that most of them do.
var made struct {
	once sync.Once
	dir  string
	err  error
}

func makeOnce() {
	if made.dir, made.err = mkdirTemp(FastDir(), "localpg-made-"); made.err != nil {
		return
	}
	var s *Server
	if s, made.err = startMachine(context.Background(), Options{Dir: filepath.Join(made.dir, "pg"), Fast: true}); made.err == nil {
		made.err = s.Stop(context.Background())
	}
}

// madeDir is sharedDir with a copy of the cluster that is made once.
func madeDir(t *testing.T) string {
	t.Helper()
	made.once.Do(makeOnce)
	require.NoError(t, made.err)
	dir := sharedDir(t)
	require.NoError(t, os.Mkdir(dir, 0o700))
	out, err := exec.CommandContext(t.Context(), "cp", "-Rp", filepath.Join(made.dir, "pg", clusterName), dir).CombinedOutput() //nolint:gosec // the test's own folders
	require.NoError(t, err, "%s", out)
	return dir
}

func ask[T any](t *testing.T, url, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	var v T
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&v))
	return v
}

func do(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

func TestDataIsKeptUntilFresh(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)

	begin := time.Now()
	s := run(t, Options{Dir: dir, Database: "shop"})
	t.Logf("first start: %v", time.Since(begin))
	do(t, s.URL(), "CREATE TABLE kept AS SELECT 42 AS n")
	require.Contains(t, s.Describe(), dir)
	require.NotContains(t, s.Describe(), password(t, s))
	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, s.Stop(t.Context()), "stopping twice")
	require.Error(t, s.Restart(t.Context()), "the directory was given back")

	begin = time.Now()
	s = run(t, Options{Dir: dir, Database: "shop"})
	t.Logf("second start: %v", time.Since(begin))
	require.Equal(t, 42, ask[int](t, s.URL(), "SELECT n FROM kept"))
	require.NoError(t, s.Stop(t.Context()))

	s = run(t, Options{Dir: dir, Database: "shop", Fresh: true})
	require.False(t, ask[bool](t, s.URL(), "SELECT to_regclass('kept') IS NOT NULL"))
}

func TestServerIsPrivate(t *testing.T) {
	t.Parallel()
	s := run(t, Options{Dir: sharedDir(t), Fast: true})

	settings := map[string]string{
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "server_encoding": "UTF8", "lc_collate": "C",
		"log_statement": "none", "log_parameter_max_length_on_error": "0", "fsync": "off", "TimeZone": "UTC",
	}
	for name, want := range settings {
		require.Equal(t, want, ask[string](t, s.URL(), "SELECT current_setting('"+name+"')"), name)
	}
	require.False(t, ask[bool](t, s.URL(), "SELECT EXISTS (SELECT FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256')"))

	_, err := pgx.Connect(t.Context(), strings.Replace(s.URL(), password(t, s), "wrong", 1))
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	require.Equal(t, "28P01", pgErr.Code)
}

func TestDurableUnlessFast(t *testing.T) {
	t.Parallel()
	s := run(t, Options{Dir: madeDir(t)})
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		require.Equal(t, "on", ask[string](t, s.URL(), "SELECT current_setting('"+name+"')"), name)
	}
}

func TestLogHoldsNoRows(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	s := run(t, Options{Dir: dir, Fast: true})
	do(t, s.URL(), "CREATE TABLE c (v text CONSTRAINT short CHECK (length(v) < 3))")
	conn, err := pgx.Connect(t.Context(), s.URL())
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "INSERT INTO c VALUES ($1)", "canary-one")
	require.Error(t, err)
	_, err = conn.Exec(t.Context(), "INSERT INTO c VALUES ('canary-two')")
	require.Error(t, err)
	require.NoError(t, conn.Close(t.Context()))

	text, err := os.ReadFile(filepath.Join(dir, logName)) //nolint:gosec // the test's own file
	require.NoError(t, err)
	require.Contains(t, string(text), `violates check constraint "short"`)
	require.NotContains(t, string(text), "canary")
}

func TestSecondServerOnOneDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	s := run(t, Options{Dir: dir, Fast: true})
	_, err := startMachine(t.Context(), Options{Dir: dir, Fast: true, Fresh: true})
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, strconv.Itoa(os.Getpid()))
	require.Equal(t, 1, ask[int](t, s.URL(), "SELECT 1"), "the first is unharmed")
}

func TestKillThenRestartReplaysTheLog(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	s := run(t, Options{Dir: dir})
	do(t, s.URL(), "CREATE TABLE kept AS SELECT 7 AS n")
	url, done := s.URL(), s.Done()

	require.NoError(t, s.Kill())
	require.True(t, closed(done))
	_, err := pgx.Connect(t.Context(), url)
	require.Error(t, err)

	require.NoError(t, s.Restart(t.Context()))
	require.Equal(t, url, s.URL())
	require.Equal(t, 7, ask[int](t, url, "SELECT n FROM kept"))
	text, err := os.ReadFile(filepath.Join(dir, logName)) //nolint:gosec // the test's own file
	require.NoError(t, err)
	require.Contains(t, string(text), "automatic recovery", "it was a crash, not a shutdown")
}

func TestStopGivesUpWaitingWithItsContext(t *testing.T) {
	t.Parallel()
	s := run(t, Options{Dir: madeDir(t), Fast: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := s.Done()
	require.ErrorIs(t, s.Stop(ctx), context.Canceled)
	require.True(t, closed(done))
}

func TestServerEndsWithItsKilledProgram(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	child, url := runProgram(t, dir, nil)
	data := filepath.Join(dir, clusterName, "data")
	postmaster := postmasterPID(t, data)
	do(t, url, "SET synchronous_commit = on; CREATE TABLE kept AS SELECT 9 AS n")
	require.True(t, isServerOf(postmaster, data, postmaster))

	_, err := startMachine(t.Context(), Options{Dir: dir, Fast: true})
	require.ErrorIs(t, err, ErrInUse, "another program has it")

	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	_ = child.Wait() //nolint:errcheck // it was killed

	// At once, while the old server may still be ending.
	s := run(t, Options{Dir: dir, Fast: true})
	require.False(t, alive(postmaster) && isServerOf(postmaster, data, 0))
	require.Equal(t, 9, ask[int](t, s.URL(), "SELECT n FROM kept"))
}

func TestKilledProgramLeavesNoServerBehind(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	child, _ := runProgram(t, dir, nil)
	data := filepath.Join(dir, clusterName, "data")
	postmaster := postmasterPID(t, data)
	require.NoError(t, child.Process.Signal(syscall.SIGKILL))
	_ = child.Wait() //nolint:errcheck // it was killed
	require.Eventually(t, func() bool { return !isServerOf(postmaster, data, postmaster) }, time.Minute, 5*time.Millisecond)
}

func TestStalePIDFile(t *testing.T) {
	t.Parallel()
	bystander := exec.Command("sleep", "600")
	// Of the server's own account: Postgres itself sees through a number that belongs to somebody else.
	bystander.Dir = "/"
	bystander.SysProcAttr = &syscall.SysProcAttr{Credential: serverAccount().credential()}
	require.NoError(t, bystander.Start())
	t.Cleanup(func() {
		require.NoError(t, bystander.Process.Kill())
		_ = bystander.Wait() //nolint:errcheck // it was killed
	})
	for name, first := range map[string]string{
		"number of a dead process":    "4194303",
		"number of another program":   strconv.Itoa(bystander.Process.Pid),
		"torn by a crash, no number":  "",
		"number of the program below": strconv.Itoa(os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := madeDir(t)
			s := run(t, Options{Dir: dir, Fast: true})
			do(t, s.URL(), "CREATE TABLE kept AS SELECT 5 AS n")
			path := filepath.Join(dir, clusterName, "data", "postmaster.pid")
			text, err := os.ReadFile(path) //nolint:gosec // the test's own file
			require.NoError(t, err)
			require.NoError(t, s.Stop(t.Context()))

			_, rest, _ := strings.Cut(string(text), "\n")
			if first == "" {
				rest = ""
			}
			require.NoError(t, os.WriteFile(path, []byte(first+"\n"+rest), 0o600))
			acct := serverAccount()
			require.NoError(t, acct.own(path))

			s = run(t, Options{Dir: dir, Fast: true})
			require.Equal(t, 5, ask[int](t, s.URL(), "SELECT n FROM kept"))
		})
	}
}

func TestForeignServerOnTheDirectoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	s := run(t, Options{Dir: dir, Fast: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	data := filepath.Join(dir, clusterName, "data")
	require.ErrorIs(t, clearOrphan(ctx, data, 0), ErrInUse)
	require.Equal(t, 1, ask[int](t, s.URL(), "SELECT 1"))
}

func TestHalfMadeClusterIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, newClusterName, "data", "base"), 0o700))
	s := run(t, Options{Dir: dir, Fast: true})
	require.Equal(t, 1, ask[int](t, s.URL(), "SELECT 1"))
	require.NoDirExists(t, filepath.Join(dir, newClusterName))
}

func TestFastDataOfAnotherBootIsNotTrusted(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	s := run(t, Options{Dir: dir, Fast: true})
	do(t, s.URL(), "CREATE TABLE kept ()")
	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, os.WriteFile(filepath.Join(dir, clusterName, "boot"), []byte("another"), 0o600))
	s = run(t, Options{Dir: dir, Fast: true})
	require.False(t, ask[bool](t, s.URL(), "SELECT to_regclass('kept') IS NOT NULL"))
}

func TestDataOfAnotherVersionIsNotTouched(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	s := run(t, Options{Dir: dir})
	require.NoError(t, s.Stop(t.Context()))
	version := filepath.Join(dir, clusterName, "data", "PG_VERSION")
	require.NoError(t, os.WriteFile(version, []byte("9\n"), 0o600))
	_, err := startMachine(t.Context(), Options{Dir: dir})
	require.ErrorContains(t, err, "is of Postgres 9")
	require.FileExists(t, version)
}

func TestGivenURLIsUsedAndLeftAlone(t *testing.T) {
	t.Parallel()
	own := run(t, Options{Dir: madeDir(t), Fast: true})
	s, err := Start(t.Context(), Options{URL: own.URL(), Dir: "/nowhere"})
	require.NoError(t, err)
	require.Equal(t, own.URL(), s.URL())
	require.NotContains(t, s.Describe(), password(t, own))
	require.ErrorIs(t, s.Kill(), ErrNotOurs)
	require.ErrorIs(t, s.Restart(t.Context()), ErrNotOurs)
	require.NoError(t, s.Stop(t.Context()))
	require.Equal(t, 1, ask[int](t, own.URL(), "SELECT 1"))

	_, err = Start(t.Context(), Options{URL: "postgres://me:topsecret@127.0.0.1:1/x"})
	require.ErrorContains(t, err, "given by URL")
	require.NotContains(t, err.Error(), "topsecret")
}

func TestNoPostgresIsOneSentence(t *testing.T) {
	t.Parallel()
	none := func(context.Context, Options) (backend, error) {
		return nil, fmt.Errorf("a download: %w: no such host", errUnavailable)
	}
	_, err := start(t.Context(), Options{Dir: sharedDir(t)}, []source{none, none})
	require.ErrorIs(t, err, ErrNoPostgres)
	require.ErrorContains(t, err, "apt-get install postgresql")
	require.ErrorContains(t, err, "a download: not available here: no such host") // why the last way failed
	require.NotContains(t, err.Error(), "\n")
	require.Empty(t, findBinaries(t.Context(), serverAccount(), t.TempDir(), nil))
}

func TestNewestBinariesComeFirst(t *testing.T) {
	t.Parallel()
	top := filepath.Dir(sharedDir(t))
	for _, v := range []string{"9.6.24", "17.2", "16.9"} {
		bin := filepath.Join(top, v, "bin")
		require.NoError(t, os.MkdirAll(bin, 0o755)) //nolint:gosec // the account must run them
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + v + " (Debian)'\n"
		for _, p := range []string{"postgres", "initdb"} {
			require.NoError(t, os.WriteFile(filepath.Join(bin, p), []byte(script), 0o755)) //nolint:gosec // a program
		}
	}
	found := findBinaries(t.Context(), serverAccount(), filepath.Join(top, "16.9", "bin"), []string{filepath.Join(top, "*", "bin")})
	var versions []string
	for _, b := range found {
		versions = append(versions, b.version)
	}
	require.Equal(t, []string{"17.2", "16.9", "9.6.24"}, versions)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func password(t *testing.T, s *Server) string {
	t.Helper()
	conf, err := pgx.ParseConfig(s.URL())
	require.NoError(t, err)
	require.NotEmpty(t, conf.Password)
	return conf.Password
}

func postmasterPID(t *testing.T, data string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid")) //nolint:gosec // the test's own file
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(t, err)
	return pid
}

// Postgres says in many lines that the disk is full; people read one.
func TestAFullDiskIsSaidInOneSentence(t *testing.T) {
	t.Parallel()
	c := &cluster{dir: "/data"}
	require.NoError(t, c.diskFull("FATAL:  could not bind"))
	require.ErrorContains(t, c.diskFull(`FATAL:  could not extend file "base/1/2691": No space left on device`), "the disk of /data is full: make room")
}

func TestFastServersAreInMemoryIfThereIsRoom(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	require.Equal(t, temporary, roomiest("/"), "whoever names a place gets it")
	t.Setenv("TMPDIR", "")
	require.Equal(t, "/", roomiest("/"))
	require.Equal(t, os.TempDir(), roomiest("/proc"), "no room there")
	require.Equal(t, os.TempDir(), roomiest("/nowhere"))
}
