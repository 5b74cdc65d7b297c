package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/store/storetest"
)

func TestConnectionsHaveLimits(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	pool, err := openPool(t.Context(), config{DatabaseURL: gateway.Secret(and(url, "lock_timeout=7s"))})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	for name, want := range map[string]string{
		"lock_timeout": "7s", "statement_timeout": "1min", "idle_in_transaction_session_timeout": "20s",
	} {
		var got string
		require.NoError(t, pool.QueryRow(t.Context(), "SHOW "+name).Scan(&got))
		require.Equal(t, want, got, name)
	}
	for _, behindAPooler := range []config{
		{DatabaseURL: gateway.Secret(url), JobsPollOnly: true},
		{DatabaseURL: gateway.Secret(and(url, "default_query_exec_mode=exec"))},
	} {
		pc, err := poolConfig(behindAPooler)
		require.NoError(t, err)
		require.NotContains(t, pc.ConnConfig.RuntimeParams, "lock_timeout", "a pooler refuses it")
	}
}

func and(url, parameter string) string {
	if strings.Contains(url, "?") {
		return url + "&" + parameter
	}
	return url + "?" + parameter
}

// A session that holds a row's lock and does not go on is waited for, but not for ever.
func TestARowThatSomebodyHoldsIsAnsweredWith503(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	d := startDevOn(t, and(url, "lock_timeout=300ms"))
	o := d.create("locked")
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", o.ID)
	require.NoError(t, err)
	res, body := d.send(http.MethodPost, "/v1/orders/"+o.ID+"/refresh", "", nil)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, body)
	require.Contains(t, d.log.String(), "lock timeout", "Postgres ended the wait, before the store had to")
	require.NoError(t, tx.Rollback(t.Context()))
	res, body = d.raw(http.MethodPost, "/v1/orders/"+o.ID+"/refresh", "", nil)
	require.Equal(t, http.StatusOK, res.StatusCode, body)
}
