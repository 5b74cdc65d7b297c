package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// clockOf lets the database of d tell another time than the machine, by whole days from now on: a replica that starts takes it over.
func clockOf(t *testing.T, url string) (days func(int)) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	exec := func(sql string) {
		t.Helper()
		_, err := db.Exec(context.Background(), sql)
		require.NoError(t, err)
	}
	name := pgx.Identifier{db.Config().Database}.Sanitize()
	return func(n int) {
		t.Helper()
		exec(fmt.Sprintf("CREATE OR REPLACE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT pg_catalog.clock_timestamp() + interval '%d days' $$", n))
		exec("ALTER DATABASE " + name + " SET search_path = public, pg_catalog")
	}
}

// dueCharge waits for a charge of a schedule, by the numbers of its period and try.
func (d *dev) dueCharge(of full, period, try int) (o full) {
	d.t.Helper()
	var found struct{ Data []full }
	require.Eventually(d.t, func() bool {
		address := fmt.Sprintf("/v1/orders?reference=%s~due-%d-%d", of.Reference, period, try)
		require.Equal(d.t, http.StatusOK, d.call(http.MethodGet, address, "", &found).StatusCode)
		return len(found.Data) == 1
	}, 2*waitTimeout, 100*time.Millisecond, "no charge of period %d, try %d", period, try)
	require.Equal(d.t, []any{"schedule", &of.ID}, []any{found.Data[0].Origin, found.Data[0].ParentID})
	return found.Data[0]
}

// Weeks pass. payrelay charges by the schedule and tells the shop: a decline is tried again the next day, and one that says "never
// again" pauses the mandate until the shop resumes it.
func TestAScheduleChargesForWeeks(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	days := clockOf(t, url)
	d := startDevOn(t, url)
	d.swift()
	shop := newEndpoint(t)
	plan := d.paid("plan", 1000, fmt.Sprintf(`"notification_url":%q,"mandate":{"schedule":{"every":"week","amount":400,"retry_days":[1]}}`, shop.URL))
	hears := func(o full, what string) {
		t.Helper()
		require.Eventually(t, func() bool { return slices.Contains(shop.typesOf(o.ID), what) }, 2*waitTimeout, 100*time.Millisecond, "%s of %s", what, o.Reference)
	}
	declines := func(code string) {
		rules := []map[string]any{}
		if code != "" {
			rules = append(rules, map[string]any{"amount": 400, "code": code})
		}
		d.settings(map[string]any{"rules": rules})
	}

	declines("INSUFFICIENT_FUNDS_PROCESSING_ERROR")
	days(7)
	startReplica(t, d)
	first := d.dueCharge(plan, 1, 0)
	first = d.ends(first.ID, "failed")
	require.Equal(t, "INSUFFICIENT_FUNDS_PROCESSING_ERROR", first.Failure.Code)
	hears(first, "payment.failed")
	require.Equal(t, []any{"active", 0}, []any{d.mandate(plan.ID).Status, d.mandate(plan.ID).Charges})

	declines("")
	days(8)
	startReplica(t, d)
	retried := d.ends(d.dueCharge(plan, 1, 1).ID, "succeeded")
	hears(retried, "payment.succeeded")
	m := d.mandate(plan.ID)
	require.Equal(t, []any{"active", 1}, []any{m.Status, m.Charges})
	last, err := time.Parse(time.RFC3339, *m.LastAt)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().AddDate(0, 0, 8), last, time.Hour)

	declines("DO_NOT_HONOUR_PROCESSING_ERROR")
	days(14)
	startReplica(t, d)
	refused := d.ends(d.dueCharge(plan, 2, 0).ID, "failed")
	hears(refused, "payment.failed")
	require.Eventually(t, func() bool { return d.mandate(plan.ID).Status == "paused" }, 2*waitTimeout, 100*time.Millisecond)
	require.Equal(t, "active", d.decides(plan.ID, "resume").Status)
	list, _ := d.page("/v1/orders?limit=100")
	require.Len(t, list, 4, "the first payment, and three charges")
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0.")
}
