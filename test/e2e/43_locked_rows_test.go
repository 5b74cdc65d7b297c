package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

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
