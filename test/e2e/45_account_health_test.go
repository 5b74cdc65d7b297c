package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// An account answers, but every third of its calls is lost. It is demoted: payments go to the other account, but for a few that try it
// out, and one that names it. When its calls are answered, it is restored.
func TestAnUnhealthyAccountIsPutLast(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	d := startDevWith(t, url, []string{"PROVIDER_TIMEOUT=2s"}, twoHosts...)
	d.secondAccount(t.TempDir())
	db, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	// passes lets time pass for what is known of accounts. A Citus coordinator takes the detour by UTC, which depends on no setting.
	passes := func() {
		t.Helper()
		_, err := db.Exec(t.Context(), `UPDATE account_health SET minute = (minute AT TIME ZONE 'UTC' - interval '6 minutes') AT TIME ZONE 'UTC';
			UPDATE account_demotions SET changed_at = (changed_at AT TIME ZONE 'UTC' - interval '6 minutes') AT TIME ZONE 'UTC'`)
		require.NoError(t, err)
	}
	made := 0
	pays := func(more string) (o full) {
		t.Helper()
		made++
		res, text := d.raw(http.MethodPost, "/v1/payments", direct(fmt.Sprintf("health-%d", made), 1000, cardMethod(cardSuccess), more), nil)
		require.Contains(t, []int{http.StatusCreated, http.StatusAccepted}, res.StatusCode, "%s", text)
		require.NoError(t, json.Unmarshal(text, &o))
		return o
	}
	const named = `"account":"EUR-sandbox"`
	at := func(n int) map[string]int {
		t.Helper()
		accounts := map[string]int{}
		for range n {
			accounts[pays("").Account]++
		}
		return accounts
	}

	for i := range 60 {
		if i%3 == 0 {
			d.fault("drop_after", "initPaymentHost2Host", "", map[string]any{"count": 1})
		}
		require.Equal(t, "EUR-sandbox", pays(named).Account)
	}
	var metrics string
	// knows reports whether the service itself knows that the account is demoted, or is not: its database knows a little sooner.
	knows := func(demoted int, says string) bool {
		_, metrics = d.adminGet("/metrics")
		return strings.Contains(metrics, fmt.Sprintf(`payrelay_account_demoted{account="EUR-sandbox"} %d`, demoted)) && strings.Contains(d.log.String(), says)
	}
	eventually(t, func() bool { return knows(1, "an account was demoted") })
	require.Contains(t, metrics, `payrelay_account_demoted{account="EUR-second"} 0`)
	require.Contains(t, d.operator("account", "list"), "unhealthy since")

	accounts := at(40)
	require.Greater(t, accounts["EUR-second"], 30, "%v", accounts)
	require.Equal(t, "EUR-sandbox", pays(named).Account, "a request that names an account goes there")
	d.host("second", "refused")
	require.Equal(t, "EUR-sandbox", pays("").Account, "it is put last, not out")
	d.host("second", "open")

	passes()
	eventually(t, func() bool { // ten calls are enough, unless one of them took too long or failed before
		pays(named)
		return knows(0, "an account was restored")
	})
	require.NotContains(t, d.operator("account", "list"), "unhealthy since")
	require.Regexp(t, `payrelay_orders_final_total\{account="EUR-second",category="",kind="payment",method="card",outcome="succeeded",provider="smartcore"\} [1-9]`, metrics)
	require.Equal(t, map[string]int{"EUR-sandbox": 5}, at(5))
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0")
}
