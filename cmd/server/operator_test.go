package main

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// An operator sees the whole story of an order, and can have its notifications sent again.
func TestAnOperatorSeesAndResends(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.paid("operator-1", 1000, "")
	d.story(o.ID, "created by request", "requires_action by answer", "succeeded by callback|check")
	require.Eventually(t, func() bool { return len(d.verdicts(o.ID)) > 0 }, 10*time.Second, 25*time.Millisecond)
	text := d.operator("order", "show", o.ID)
	for _, want := range []string{"waits for: nothing", "none → created", "callback received", "succeeded: apply", "notification", "order.succeeded delivered after 1 attempts"} {
		require.Contains(t, text, want)
	}
	require.Contains(t, d.operator("order", "resend", o.ID, "--from", "3"), "1 notifications of order "+o.ID+" are sent again")
	require.Eventually(t, func() bool {
		return strings.Contains(d.operator("order", "show", o.ID), "order.succeeded delivered after 2 attempts")
	}, 10*time.Second, 50*time.Millisecond)
	require.Equal(t, []string{"2 order.requires_action", "3 order.succeeded"}, d.arrivals(o.ID), "the shop knows it by its id")
}

// What an operator decides is written down by the database's time, as the service does. Here it is seven hours ahead of
// this machine.
func TestAnOperatorsMachineMayHaveAnotherTime(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '7 hours' $$`)
	require.NoError(t, err)
	d.fault("callback_off", "", "", nil)
	o := d.create("operator-2")
	ahead, err := url.Parse(d.DatabaseURL)
	require.NoError(t, err)
	query := ahead.Query()
	query.Set("search_path", "public,pg_catalog")
	ahead.RawQuery = query.Encode()
	there := d.with(t)
	there.DatabaseURL = ahead.String()
	there.operator("order", "resolve", o.ID, "--status", "failed", "--reason", "a test", "--force")
	var written, due time.Time
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT max(at) FROM order_transitions WHERE order_id = $1", o.ID).Scan(&written))
	require.WithinDuration(t, time.Now().Add(7*time.Hour), written, time.Minute)
	there.operator("order", "resend", o.ID, "--from", "3")
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT next_attempt_at FROM notifications WHERE order_id = $1 AND sequence = 3", o.ID).Scan(&due))
	require.WithinDuration(t, time.Now().Add(7*time.Hour), due, time.Minute)
}
