package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// A database may write dates as it likes, and a pooler's client reads them as text: the service starts, takes a payment and
// finds it again all the same.
func TestADatabaseThatWritesDatesInGerman(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	for _, s := range []string{"datestyle = 'German, DMY'", "timezone = 'Asia/Kathmandu'"} {
		_, err = conn.Exec(t.Context(), fmt.Sprintf("ALTER DATABASE %s SET %s", pgx.Identifier{conn.Config().Database}.Sanitize(), s))
		require.NoError(t, err)
	}
	require.NoError(t, conn.Close(context.Background()))
	d := startDevOn(t, and(url, "default_query_exec_mode=exec"))
	o := d.paid("german", 1000, "")
	require.Equal(t, "succeeded", o.Status)
	d.requireTimeline(o.ID, "created by request", "requires_action by answer", "succeeded by callback|check")
	d.makes("/v1/payments/"+o.ID+"/refunds", `{"reference":"r-1","amount":400,"reason":"torn"}`, http.StatusCreated)
	require.Contains(t, d.operator("order", "show", o.ID), "succeeded")
}
