package app

import (
	"strings"
	"testing"

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
	pc, err := poolConfig(config{DatabaseURL: gateway.Secret(and(url, "default_query_exec_mode=exec"))})
	require.NoError(t, err)
	require.NotContains(t, pc.ConnConfig.RuntimeParams, "lock_timeout", "a pooler refuses it")
}

func and(url, parameter string) string {
	if strings.Contains(url, "?") {
		return url + "&" + parameter
	}
	return url + "?" + parameter
}
