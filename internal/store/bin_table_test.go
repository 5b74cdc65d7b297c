package store_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"payrelay/internal/bintable"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// bins is the table of a list.
func bins(t *testing.T, lines ...string) *bintable.Table {
	t.Helper()
	list, err := bintable.Read([]byte(strings.Join(lines, "\n")))
	require.NoError(t, err)
	return list.Table
}

// british leads British cards to the account, and all others nowhere.
const british = `{"rules": [{"name": "british", "when": {"card.country": ["GB"]}, "then": {"accounts": ["EUR-1"]}}], "otherwise": "refuse"}`

// routedBy is the country that a store's rules know of a BIN.
func routedBy(t *testing.T, s *store.Store, b *fixture, bin string) string {
	t.Helper()
	rules, err := s.RoutingRules(t.Context(), b.shop.ID)
	require.NoError(t, err)
	return rules.BINs.Country(bin)
}

func TestABINTableReplacesTheOneBefore(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	_, err := b.AddRoutingSet(t.Context(), "first", []byte(british), true)
	require.ErrorContains(t, err, `rule "british": asks for card.country, and no BIN table is there`)
	none, err := b.BINTable(t.Context())
	require.NoError(t, err)
	require.Equal(t, store.BINTable{}, none)

	first, err := b.ImportBINs(t.Context(), bins(t, "bin,country", "401200,GB", "40120005,FR"))
	require.NoError(t, err)
	require.Equal(t, 1, first.Version)
	_, err = b.AddRoutingSet(t.Context(), "first", []byte(british), true)
	require.NoError(t, err)
	other := store.New(b.pool, b.Options)
	require.Equal(t, "GB", routedBy(t, other, b, "40120000"), "another replica")
	require.Equal(t, "FR", routedBy(t, b.Store, b, "40120005"))

	second, err := b.ImportBINs(t.Context(), bins(t, "bin,country", "401200,DE"))
	require.NoError(t, err)
	require.Equal(t, 2, second.Version)
	require.NotEqual(t, first.Digest, second.Digest)
	require.Equal(t, "DE", routedBy(t, b.Store, b, "40120005"))
	other.ExpireDirectory()
	require.Equal(t, "DE", routedBy(t, other, b, "40120000"))
	now, err := other.BINTable(t.Context())
	require.NoError(t, err)
	require.Equal(t, second, now)
	require.Equal(t, 1, testutil.CollectAndCount(other.BINTableCollector()))
	require.Empty(t, b.altered(t))

	// Nothing else that changes reads the list anew, and rules that ask for no country have no table.
	before, err := other.RoutingRules(t.Context(), b.shop.ID)
	require.NoError(t, err)
	b.newAccount(t, "EUR-2", "first")
	other.ExpireDirectory()
	after, err := other.RoutingRules(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.NotSame(t, before.Set, after.Set, "the directory was read anew")
	require.Same(t, before.BINs, after.BINs)
	_, err = b.AddRoutingSet(t.Context(), "first", []byte(everythingTo("EUR-1")), true)
	require.NoError(t, err)
	plain, err := b.RoutingRules(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.Nil(t, plain.BINs)
}

// A table that somebody else changed routes nothing: rules that ask for it refuse, others go on. The next import replaces it.
func TestAnAlteredBINTableRoutesNothing(t *testing.T) {
	t.Parallel()
	forged := bins(t, "bin,country", "401200,GB", "545400,GB").Encode()
	for name, alter := range map[string]func(*testing.T, *fixture){
		"changed": func(t *testing.T, b *fixture) {
			b.byHand(t, "UPDATE bin_table SET content = $1", forged)
		},
		"taken away": func(t *testing.T, b *fixture) { b.byHand(t, "DELETE FROM bin_table") },
		"an old one put back": func(t *testing.T, b *fixture) {
			b.exec(t, "CREATE TABLE kept_rows AS SELECT * FROM bin_table")
			_, err := b.ImportBINs(t.Context(), bins(t, "bin,country", "401200,FR"))
			require.NoError(t, err)
			b.byHand(t, "UPDATE bin_table SET (version, content, author, reason, imported_at) = (SELECT version, content, author, reason, imported_at FROM kept_rows)")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			second, _, _ := b.newShop(t, "second", "")
			b.newAccount(t, "EUR-2", "second")
			_, err := b.ImportBINs(t.Context(), bins(t, "bin,country", "401200,GB"))
			require.NoError(t, err)
			_, err = b.AddRoutingSet(t.Context(), "first", []byte(british), true)
			require.NoError(t, err)
			_, err = b.AddRoutingSet(t.Context(), "second", []byte(everythingTo("EUR-2")), true)
			require.NoError(t, err)

			alter(t, b)
			found := b.altered(t)
			require.Len(t, found, 1)
			require.Contains(t, found[0], "bin_table: ")
			used := store.New(b.pool, b.Options)
			_, err = used.RoutingRules(t.Context(), b.shop.ID)
			require.Equal(t, payment.CodeAccountFrozen, payment.CodeOf(err))
			require.Equal(t, "EUR-2", b.ruled(t, second.ID), "rules that do not ask")
			table, err := used.BINTable(t.Context())
			require.NoError(t, err)
			require.Error(t, table.Unusable)
			require.Nil(t, table.Table)

			require.ErrorContains(t, b.AcceptGlobal(t.Context()), "'server bin import FILE' replaces it")
			require.NotEmpty(t, b.altered(t))
			_, err = b.ImportBINs(t.Context(), bins(t, "bin,country", "401200,GB"))
			require.NoError(t, err)
			require.Empty(t, b.altered(t))
			used.ExpireDirectory()
			require.Equal(t, "GB", routedBy(t, used, b, "40120000"))
			require.Empty(t, routedBy(t, used, b, "54540000"))
		})
	}
}
