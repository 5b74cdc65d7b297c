package store_test

import (
	"testing"

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
	order, _ := b.described(t, "erased")
	b.lived(t, "old", true)
	b.exec(t, "DELETE FROM deliveries")
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
