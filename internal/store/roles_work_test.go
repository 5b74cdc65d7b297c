package store_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/pgsession"
	"payrelay/internal/store"
	"payrelay/internal/store/storetest"
	"payrelay/migrations"
)

// What is put together from pieces is not among the statements that can be checked one by one: retention, erasure, and the reading of
// all texts.
func TestRolesMayRemoveAndErase(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	on := func(role string) *pgxpool.Pool {
		t.Helper()
		config, err := pgxpool.ParseConfig(as(role))
		require.NoError(t, err)
		config.AfterConnect = pgsession.Prepare
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		return pool
	}
	b := fixtureOn(t, on(""))
	b.clock.Add(time.Since(b.clock.Now()) - rested - 31*day) // the service's role drops no month that is not over
	b.exec(t, "SELECT make_partitions($1::text::date)", b.clock.Now().Format(time.DateOnly))
	order, _ := b.described(t, "erased")
	b.lived(t, "old", true)
	b.allDelivered(t)
	options := b.Options
	options.Sender = nil
	b.clock.Add(rested)
	_, err := store.New(on(migrations.RoleApp), options).Remove(t.Context(), keepFor, 0)
	require.NoError(t, err, "the service removes what is old")

	options.Operator = &store.Operator{User: "ann", Reason: "asked for"}
	operator := store.New(on(migrations.RoleOperator), options)
	require.NoError(t, operator.AddHold(t.Context(), order.Key(), "dispute"))
	require.NoError(t, operator.RemoveHold(t.Context(), order.Key()))
	_, err = operator.OrdersOfCustomer(t.Context(), order.ShopID, mark("customer"))
	require.NoError(t, err)
	_, err = operator.Erase(t.Context(), store.Erasure{Order: order.Key(), Command: "erase order"})
	require.NoError(t, err)
	require.NoError(t, operator.Texts(t.Context(), func(_, _, _ string) error { return nil }))
	_, opened := b.marks(t)
	require.Zero(t, opened)
}

// The service's role makes the months that are needed and drops those that are over, and no others.
func TestRolesMakeAndDropOnlyMonthsOfUse(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	owner, err := pgxpool.New(t.Context(), as(""))
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	app, err := pgxpool.New(t.Context(), as(migrations.RoleApp))
	require.NoError(t, err)
	t.Cleanup(app.Close)
	run := func(pool *pgxpool.Pool, sql string, args ...any) error {
		_, err := pool.Exec(t.Context(), sql, args...)
		return err
	}
	const month = "(now() AT TIME ZONE 'UTC')::date + make_interval(months => $1)"
	for _, ahead := range []int{0, 1, 2} {
		require.NoError(t, run(app, "SELECT make_partitions(("+month+")::date)", ahead))
	}
	for _, far := range []int{-60, 12, 12_000} {
		require.ErrorContains(t, run(app, "SELECT make_partitions(("+month+")::date)", far), "made by the owner of the tables", far)
	}
	require.NoError(t, run(owner, "SELECT make_partitions(("+month+")::date)", -5))
	drop := "SELECT drop_partition('provider_calls' || to_char(" + month + ", '_YYYY_MM'))"
	for _, running := range []int{0, 1} {
		require.ErrorContains(t, run(app, drop, running), "a month that is not over")
	}
	b := fixtureOn(t, owner)
	b.clock.Add(time.Since(b.clock.Now()) - 150*day)
	held := b.lived(t, "held", true)
	b.exec(t, "INSERT INTO order_holds (shop_id, order_id, reason, at) VALUES ($1, $2, 'dispute', now())", held.ShopID, held.ID)
	partition := "SELECT tableoid::regclass::text FROM provider_calls"
	var name string
	require.NoError(t, owner.QueryRow(t.Context(), partition).Scan(&name))
	require.ErrorContains(t, run(app, "SELECT drop_partition($1)", name), "open or under a hold")
	b.exec(t, "DELETE FROM order_holds")
	require.NoError(t, run(app, "SELECT drop_partition($1)", name))
	require.NoError(t, run(app, "SELECT make_partitions(first_day) FROM (SELECT to_date(right($1, 7), 'YYYY_MM') AS first_day) d", name), "an order is of that month")
	require.NoError(t, owner.QueryRow(t.Context(), "SELECT $1::text::regclass::text", name).Scan(&name))
}
