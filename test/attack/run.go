package attack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// Options say how an attack is run.
type Options struct {
	// For is how long each attack lasts.
	For time.Duration
	// Kinds are the attacks; all without it.
	Kinds []Kind
	// Self, if set, is this program: the attackers run as a process of their own, on one core where taskset is there.
	Self string
	// Beside also attacks a handler that only answers, to compare with.
	Beside bool
	// Dir is where the database and the log go.
	Dir string
	Log io.Writer
}

// Result is an attack and what it did.
type Result struct {
	Kind Kind
	// Made is how many connections the attackers made, or how many keys they sent.
	Made int64
	// Server is what a shop met at the service, Static at a handler that only answers.
	Server Load
	Static *Load
}

// Run builds and starts the server, and attacks it.
func Run(ctx context.Context, o Options) ([]Result, error) {
	for _, kind := range o.Kinds {
		if !slices.Contains(Kinds, kind) {
			return nil, fmt.Errorf("there is no attack %q: use one of %q", kind, Kinds)
		}
	}
	s, err := startServer(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	kinds := o.Kinds
	if len(kinds) == 0 {
		kinds = Kinds
	}
	var results []Result
	for _, kind := range kinds {
		r := Result{Kind: kind}
		fmt.Fprintf(o.Log, "%s, for %s\n", kind, o.For)
		if r.Server, r.Made, err = o.attack(ctx, kind, s.target); err != nil {
			return results, err
		}
		if o.Beside {
			static, err := o.attackStatic(ctx, kind)
			if err != nil {
				return results, err
			}
			r.Static = &static
		}
		results = append(results, r)
	}
	return results, nil
}

// attack attacks a target while a shop pays there.
func (o Options) attack(ctx context.Context, kind Kind, t target) (Load, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, o.For)
	defer cancel()
	type outcome struct {
		made int64
		err  error
	}
	attacked := make(chan outcome, 1)
	go func() {
		made, err := o.attackers(ctx, kind, t.api)
		attacked <- outcome{made, err}
	}()
	load := pay(ctx, t)
	done := <-attacked
	return load, done.made, done.err
}

// attackers runs the attackers here, or as a process of their own.
func (o Options) attackers(ctx context.Context, kind Kind, api string) (int64, error) {
	if o.Self == "" {
		return Attack(ctx, kind, api), nil
	}
	args := []string{o.Self, "--attack", string(kind), "--target", api, "--for", o.For.String()}
	if taskset, err := exec.LookPath("taskset"); err == nil {
		args = append([]string{taskset, "-c", "0"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // this program, which ends by itself
	cmd.Stderr = o.Log
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("run the attackers: %w", err)
	}
	made, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read what the attackers say: %w", err)
	}
	return made, nil
}

// attackStatic attacks a handler that only answers.
func (o Options) attackStatic(ctx context.Context, kind Kind) (Load, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return Load{}, fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	load, _, err := o.attack(ctx, kind, target{api: l.Addr().String()})
	return load, err
}

// server is a running `server dev`.
type server struct {
	target target
	cmd    *exec.Cmd
}

func startServer(ctx context.Context, o Options) (*server, error) {
	binary := filepath.Join(o.Dir, "server")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "payrelay/cmd/server") //nolint:gosec // the folder is ours
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the server: %w: %s", err, out)
	}
	log, err := os.Create(filepath.Join(o.Dir, "server.log"))
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	s := &server{cmd: exec.Command(binary, "dev", "--json", "--fresh", "--data", filepath.Join(o.Dir, "data"), "--log-level", "info", //nolint:gosec,noctx // what was built; stop ends it
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", "127.0.0.1:0", "--shop", "127.0.0.1:0")}
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("read the server's output: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	var ready struct {
		API     string `json:"api"`
		Admin   string `json:"admin"`
		ShopKey string `json:"shop_key"`
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the server did not get ready, see %s: %w", log.Name(), err)
	}
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	s.target = target{api: host(ready.API), admin: host(ready.Admin), key: ready.ShopKey}
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// Print writes a table.
func Print(out io.Writer, results []Result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ATTACK\tMADE\tSHOP'S REQUESTS\tLOST\tP99\tP99 OF A STATIC HANDLER\tADMIN'S SLOWEST\tADMIN LOST\tFIRST LOSS")
	for _, r := range results {
		static := "-"
		if r.Static != nil {
			static = r.Static.P99.Round(time.Millisecond).String()
		}
		first := r.Server.First
		if first == "" {
			first = "-"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\t%s\t%d\t%s\n", r.Kind, r.Made, r.Server.Requests, r.Server.Lost,
			r.Server.P99.Round(time.Millisecond), static, r.Server.Admin.Round(time.Millisecond), r.Server.AdminLost, first)
	}
	return w.Flush()
}
