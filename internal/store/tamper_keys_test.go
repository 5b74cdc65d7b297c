package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store"
)

// A service key that was taken away is not made anew while rows of the old one are there.
func TestALostServiceKeyIsNotMadeAnew(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	for _, name := range []string{"seal", "api_key"} {
		b.exec(t, "CREATE TABLE old_key AS SELECT * FROM service_keys WHERE name = '"+name+"'")
		b.exec(t, "DELETE FROM service_keys WHERE name = '"+name+"'")
		late := store.New(b.pool, store.Options{Keyring: b.Keyring})
		_, err := late.ServiceKey(t.Context(), name)
		require.ErrorContains(t, err, "load service key "+name+": the row of service_keys is missing")
		require.Zero(t, b.count(t, "SELECT count(*) FROM service_keys WHERE name = '"+name+"'"))
		b.exec(t, "INSERT INTO service_keys SELECT * FROM old_key")
		_, err = late.ServiceKey(t.Context(), name)
		require.NoError(t, err)
		b.exec(t, "DROP TABLE old_key")
	}
	b.exec(t, "TRUNCATE service_keys")
	b.exec(t, "UPDATE orders SET seal = ''")
	b.tamper(t, "TRUNCATE audit_log")
	late := store.New(b.pool, store.Options{Keyring: b.Keyring})
	_, err := late.VerifyOrders(t.Context(), store.VerifyScope{}, func(store.Finding) {})
	require.ErrorContains(t, err, "the row of service_keys is missing")
	require.Zero(t, b.count(t, "SELECT count(*) FROM service_keys"), "a verification writes nothing")
}

// Each of the service's own keys that is missing or altered is named.
func TestServiceKeysAreVerified(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	b.exec(t, "INSERT INTO order_fingerprints (shop_id, fingerprint, order_id, at) VALUES ($1, sha256('x'), $2, now())", b.paid.Shop, b.paid.Order)
	names := []string{"api_key", "fingerprint", "order_fingerprint", "provider_order_id", "request_hash"}
	b.exec(t, "CREATE TABLE old_keys AS SELECT * FROM service_keys")
	for _, name := range names {
		require.Equal(t, 1, b.count(t, "SELECT count(*) FROM service_keys WHERE name = $1", name), name)
		b.exec(t, "UPDATE service_keys SET "+flip("value")+" WHERE name = '"+name+"'")
		require.Equal(t, "service_keys "+name, findingNames(b.verify(t)))
		late := store.New(b.pool, store.Options{Keyring: b.Keyring})
		require.ErrorContains(t, late.LoadServiceKeys(t.Context()), "the row "+name+" of service_keys cannot be used")

		b.exec(t, "DELETE FROM service_keys WHERE name = '"+name+"'")
		require.Equal(t, "service_keys "+name, findingNames(b.verify(t)))
		require.ErrorContains(t, late.LoadServiceKeys(t.Context()), "load service key "+name+": the row of service_keys is missing")
		b.exec(t, "INSERT INTO service_keys SELECT * FROM old_keys WHERE name = '"+name+"'")
		require.Empty(t, b.verify(t))
	}
}
