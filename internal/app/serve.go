package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof" //nolint:gosec // nothing serves the default mux that it also registers with
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/clientaddr"
	"payrelay/internal/connlimit"
)

// listener is an HTTP server on a listener. Slow headers and bodies are cut within 60 s.
type listener struct {
	name        string
	listener    net.Listener
	server      *http.Server
	connections *connlimit.Limiter
	own         bool // of the service, not of a development one's neighbours
	leaving     atomic.Bool
}

// leave makes every answer from now on the last of its connection. Clients that keep connections open go elsewhere by
// themselves, so that none is idle, with a request perhaps on its way, when the server closes it.
func (s *listener) leave() { s.leaving.Store(true) }

// idleGrace is how long a connection on which nothing was asked may still speak when the server stops. Clients open some in
// advance; net/http would wait 5 s for each.
const idleGrace = 500 * time.Millisecond

// answering is how long an answer of the merchant API may take beside its call to a provider: for the database, which may be
// on its way back, and for a slow reader.
const answering = 90 * time.Second

// listenerSettings say what chooses the address of each listener.
var listenerSettings = map[string]string{
	"merchant API": "--listen (dev) or LISTEN_ADDR (run)", "admin listener": "--admin (dev) or ADMIN_ADDR (run)",
	"sandbox": "--sandbox (dev) or --listen (sandbox)", "demo shop": "--shop (dev)",
}

func newListener(name, addr string, h http.Handler, writeTimeout time.Duration) (*listener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken, and the %s needs it: stop what uses it, or choose another with %s", addr, name, listenerSettings[name])
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the %s: %w", name, err)
	}
	s := &listener{name: name, listener: l, connections: connlimit.New(connlimit.Limits{})}
	s.server = &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: writeTimeout,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ConnState: func(c net.Conn, state http.ConnState) { s.connections.ConnState(c, state) },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			from := clientaddr.FromText(peer(c).String())
			return s.connections.Accept(clientaddr.WithPeer(ctx, from), c, from)
		},
	}
	return s, nil
}

// url is where the site can be reached on this machine.
func (s *listener) url() string { return "http://" + reachable(s.listener.Addr().String()) }

// reachable turns a listening address into one that can be dialled.
func reachable(addr string) string {
	ap, err := netip.ParseAddrPort(addr)
	if err == nil && ap.Addr().IsUnspecified() {
		return fmt.Sprintf("localhost:%d", ap.Port())
	}
	return addr
}

// serve runs the listeners until ctx is done, then lets requests under way finish within limit.
func serve(ctx context.Context, limit time.Duration, sites ...*listener) error {
	var g errgroup.Group
	for _, s := range sites {
		handler := s.server.Handler
		s.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.leaving.Load() {
				w.Header().Set("Connection", "close")
			}
			handler.ServeHTTP(w, r)
		})
		g.Go(func() error {
			if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve the %s: %w", s.name, err)
			}
			return nil
		})
		g.Go(func() error {
			<-ctx.Done()
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
			defer cancel()
			defer time.AfterFunc(idleGrace, func() { s.connections.CloseForShutdown() }).Stop()
			if err := s.server.Shutdown(stop); err != nil {
				return errors.Join(fmt.Errorf("stop the %s: %w", s.name, err), s.server.Close())
			}
			return nil
		})
	}
	return g.Wait()
}

// health answers what orchestrators ask.
type health struct {
	pool     *pgxpool.Pool
	ready    func(ctx context.Context) error
	draining atomic.Bool
}

// adminHandler serves health, readiness and metrics, and profiles if they are wanted.
func adminHandler(h *health, gatherer prometheus.Gatherer, profiles bool) http.Handler {
	mux := http.NewServeMux()
	text := func(w http.ResponseWriter, status int, body string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body + "\n"))
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			text(w, http.StatusServiceUnavailable, "stopping")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := h.ready(ctx); err != nil {
			text(w, http.StatusServiceUnavailable, "the database does not answer")
			return
		}
		text(w, http.StatusOK, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true, Timeout: 10 * time.Second}))
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, _ *http.Request) {
		text(w, http.StatusNotFound, "This port has /healthz, /readyz and /metrics. The shops' API is at LISTEN_ADDR.")
	})
	if profiles {
		addProfiles(mux)
	}
	return mux
}

// addProfiles serves what `go tool pprof` reads.
func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}
