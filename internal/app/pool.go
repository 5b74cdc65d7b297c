package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/pgsession"
)

// connectTimeout is how long opening a connection to the database may take.
const connectTimeout = 3 * time.Second

// sessionLimits are what Postgres itself bounds, where DATABASE_URL does not say otherwise. Methods of the store give up
// by themselves; these free what a process that froze or lost its link holds.
var sessionLimits = map[string]string{
	"lock_timeout":                        "5s",
	"statement_timeout":                   "60s",
	"idle_in_transaction_session_timeout": "20s",
}

func openPool(ctx context.Context, c config) (*pgxpool.Pool, error) {
	pc, err := poolConfig(c)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return pool, nil
}

func poolConfig(c config) (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig(c.DatabaseURL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL cannot be read: it should look like postgres://user:password@host/database")
	}
	if _, err := pgsession.LinkOf(pc.ConnConfig); err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	pc.MaxConns = int32(max(c.DatabasePool, 2)) //nolint:gosec // checked to be at most 1000
	pc.MaxConnIdleTime = 5 * time.Minute
	pc.ConnConfig.ConnectTimeout = connectTimeout
	// A link that has fallen silent is given up after half a minute, also by a connection that only listens.
	dialer := &net.Dialer{
		Timeout: connectTimeout, Control: giveUpUnanswered,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	pc.ConnConfig.DialFunc = dialer.DialContext
	pooled := pgsession.Pooled(pc.ConnConfig)
	pgsession.Configure(pc.ConnConfig, pooled)
	pc.AfterConnect = pgsession.Prepare
	params := pc.ConnConfig.RuntimeParams
	params["application_name"] = "payrelay"
	if pooled { // a transaction pooler refuses connections that ask for limits of their own
		return pc, nil
	}
	for name, value := range sessionLimits {
		if _, given := params[name]; !given && !strings.Contains(params["options"], name) {
			params[name] = value
		}
	}
	return pc, nil
}

// ofConnection says why no connection was made, and what to do.
func ofConnection(e *pgconn.ConnectError) string {
	cause := e.Unwrap()
	at := net.JoinHostPort(e.Config.Host, strconv.Itoa(int(e.Config.Port)))
	if strings.HasPrefix(e.Config.Host, "/") {
		at = e.Config.Host + "/.s.PGSQL." + strconv.Itoa(int(e.Config.Port))
	}
	if pg, ok := errors.AsType[*pgconn.PgError](cause); ok {
		return ofPostgres(pg)
	}
	if unknown, ok := errors.AsType[*net.DNSError](cause); ok {
		return fmt.Sprintf("the database's host %s is not found: mend its name in DATABASE_URL, or see that this machine can look it up", unknown.Name)
	}
	switch timeout, ok := errors.AsType[net.Error](cause); {
	case errors.Is(cause, syscall.ECONNREFUSED) || errors.Is(cause, fs.ErrNotExist):
		return fmt.Sprintf("no Postgres listens at %s: start it there, or mend host and port in DATABASE_URL", at)
	case ok && timeout.Timeout() || errors.Is(cause, context.DeadlineExceeded):
		return fmt.Sprintf("no Postgres answers at %s: see that it runs there and that no firewall is in between, or mend host and port in DATABASE_URL", at)
	}
	reason, _, _ := strings.Cut(cause.Error(), "\n") // another try of the same says the same
	return fmt.Sprintf("what is at %s does not answer as this program's Postgres would: see that it is Postgres, with the TLS that sslmode says, or mend DATABASE_URL (%s)", at, reason)
}

// linkGauge says how the database is reached, and warns if somebody in between could read or change what passes.
func linkGauge(pool *pgxpool.Pool, log zerolog.Logger) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "payrelay_database_link",
		Help: "1 for how the connections to Postgres are protected: local, verified (TLS with a checked certificate), encrypted (TLS with whoever answers) or plain.",
	}, []string{"link"})
	used, _ := pgsession.LinkOf(pool.Config().ConnConfig) // an address without an answer is refused before
	for _, link := range pgsession.Links {
		g.WithLabelValues(string(link)).Set(0)
	}
	g.WithLabelValues(string(used)).Set(1)
	if complaint := linkComplaint(used); complaint != "" {
		log.Warn().Msg(complaint)
	}
	return g
}

// linkComplaint says what somebody in between could do, "" if nothing.
func linkComplaint(link pgsession.Link) string {
	switch link { //nolint:exhaustive // the others need no warning
	case pgsession.LinkPlain:
		return "the database is reached without TLS: whoever is on that network can read and change everything; use sslmode=verify-full in DATABASE_URL"
	case pgsession.LinkEncrypted:
		return "the database's certificate is not checked: whoever answers for it can read and change everything; use sslmode=verify-full in DATABASE_URL"
	}
	return ""
}
