package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rollingReplica is one replica of the service, a process that is restarted on the same addresses.
type rollingReplica struct {
	t              *testing.T
	environ        []string
	address, admin string
	process        *process
	ready          atomic.Bool // as the last poll found it
}

func startRollingReplica(t *testing.T, environ []string) *rollingReplica {
	r := &rollingReplica{t: t, environ: environ, address: freeAddress(t), admin: freeAddress(t)}
	r.start()
	return r
}

func (r *rollingReplica) start(more ...string) {
	r.process = startProcess(r.t, append(append(r.environ, "LISTEN_ADDR="+r.address, "PUBLIC_URL=http://"+r.address, "ADMIN_ADDR="+r.admin), more...), "run")
	eventually(r.t, r.ask, "%s", r.process.cmd.Stderr)
}

// restart replaces the process, as a rolling update does: the next replica has its turn when this one is ready, as the poll finds it.
func (r *rollingReplica) restart() {
	r.signal()
	require.NoError(r.t, r.process.cmd.Wait(), "%s", r.process.cmd.Stderr)
	r.start()
	eventually(r.t, r.ready.Load)
}

func (r *rollingReplica) signal() {
	require.NoError(r.t, r.process.cmd.Process.Signal(syscall.SIGTERM))
}

// ask asks for readiness once.
func (r *rollingReplica) ask() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.admin+"/readyz", nil)
	if err != nil {
		return false
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// rollingLoad is shops behind a balancer that polls readiness every 200 ms. Each request is sent once, to a replica that the last
// poll found ready: nothing is repeated, and a refused connection is not tried elsewhere.
type rollingLoad struct {
	key      string
	replicas []*rollingReplica
	turn     atomic.Int64
	left     atomic.Int64 // how many requests are still to be made
	done     atomic.Int64
	busy     atomic.Int64 // answered with 503, as shops are told to expect

	mu   sync.Mutex
	lost []string // what was refused, cut or answered otherwise
}

// poll keeps each replica's readiness until ctx is done.
func (l *rollingLoad) poll(ctx context.Context) {
	var polls sync.WaitGroup
	defer polls.Wait()
	for _, r := range l.replicas {
		polls.Go(func() {
			for tick := time.NewTicker(200 * time.Millisecond); ; {
				r.ready.Store(r.ask())
				select {
				case <-tick.C:
				case <-ctx.Done():
					tick.Stop()
					return
				}
			}
		})
	}
}

// next is the replica whose turn it is, of those that are ready.
func (l *rollingLoad) next() *rollingReplica {
	for range len(l.replicas) {
		if r := l.replicas[l.turn.Add(1)%int64(len(l.replicas))]; r.ready.Load() {
			return r
		}
	}
	return l.replicas[0]
}

// line is a connection to a replica.
type line struct {
	net.Conn
	read *bufio.Reader
	to   *rollingReplica
}

// keeping is what a shop, or the balancer before it, does with its connections.
type keeping int

const (
	keepsNone  keeping = iota // a connection for each request
	keepsTurns                // one to each replica, which have turns; those to a replica that is not ready are closed
	keepsOne                  // one, until the server closes it: a balancer of connections does not see requests
	keepings
)

// shop makes payments and reads them, one request after the other.
func (l *rollingLoad) shop(name string, k keeping) {
	lines := map[*rollingReplica]*line{}
	defer func() {
		for _, c := range lines {
			_ = c.Close()
		}
	}()
	path, body := "/v1/payments", ""
	for n := 0; l.left.Add(-1) >= 0; n++ {
		method := http.MethodGet
		if path == "/v1/payments" {
			method, body = http.MethodPost, direct(fmt.Sprint(name, "-", n), 1000, cardMethod(cardSuccess), "")
		}
		status, text, err := l.once(lines, k, method, path, body)
		l.done.Add(1)
		path, body = "/v1/payments", ""
		var made struct{ ID, Status string }
		switch {
		case err != nil:
			l.lose(err.Error())
		case status == http.StatusServiceUnavailable:
			l.busy.Add(1)
		case status/100 != 2 || json.Unmarshal(text, &made) != nil || made.Status == "failed":
			l.lose(fmt.Sprintf("%d %s", status, text))
		case method == http.MethodPost:
			path = "/v1/orders/" + made.ID
		}
	}
}

func (l *rollingLoad) lose(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, time.Now().Format(time.StampMilli)+" "+what)
}

// once sends a request, once.
func (l *rollingLoad) once(lines map[*rollingReplica]*line, k keeping, method, path, body string) (status int, text []byte, err error) {
	c, err := l.connection(lines, k)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+c.to.address+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+l.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := req.Write(c); err != nil {
		return 0, nil, fmt.Errorf("cut: %w", err)
	}
	res, err := http.ReadResponse(c.read, req)
	if err != nil {
		return 0, nil, fmt.Errorf("cut: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if text, err = io.ReadAll(res.Body); err != nil {
		return 0, nil, fmt.Errorf("cut: %w", err)
	}
	if !res.Close && k != keepsNone {
		lines[c.to] = c
		return res.StatusCode, text, nil
	}
	return res.StatusCode, text, c.Close()
}

// connection takes a connection that is kept, or makes one.
func (l *rollingLoad) connection(lines map[*rollingReplica]*line, k keeping) (*line, error) {
	for to, c := range lines {
		if k == keepsOne {
			delete(lines, to)
			return c, nil
		}
		if !to.ready.Load() {
			delete(lines, to)
			_ = c.Close()
		}
	}
	to := l.next()
	if c := lines[to]; c != nil {
		delete(lines, to)
		return c, nil
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), "tcp", to.address)
	if err != nil {
		return nil, fmt.Errorf("refused: %w", err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * waitTimeout))
	return &line{conn, bufio.NewReader(conn), to}, nil
}
