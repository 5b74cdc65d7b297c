package app

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCardsAreFoundInTheDatabaseAndMasked(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	for _, set := range []string{
		`UPDATE orders SET description = 'paid with 4012-0000-0000-3010', metadata = '{"note": "pan NDAxMjAwMDAwMDAwMzAxMA==", "order": "7"}' WHERE reference = 'paid-1'`,
		`UPDATE orders SET description = 'ORD-4012000000003010' WHERE reference = 'unknown-1'`,
		`UPDATE shops SET allow_cidrs = '{10.0.0.0/8,4012 0000 0000 3010}'`,
	} {
		_, err := b.pool.Exec(t.Context(), set)
		require.NoError(t, err)
	}
	before := b.contents(t)
	out := b.command(t, "cards", "scan")
	require.Equal(t, before, b.contents(t), "a scan changes nothing")
	require.Regexp(t, `orders +description +\S+`+b.paid.Order.String()+` +evident +paid with 401200\*{6}3010`, out)
	require.Regexp(t, `orders +metadata `, out)
	require.Regexp(t, `shops +allow_cidrs `, out)
	require.NotContains(t, out, "ORD-", "it may be anything")
	require.NotContains(t, out, "0000-3010")
	require.Contains(t, out, "3 texts hold")
	require.Contains(t, b.command(t, "cards", "scan", "--ambiguous", "--table", "orders"), "ORD-401200******3010")

	out = b.command(t, "cards", "scan", "--fix", "--reason", "found in a test")
	require.Contains(t, out, "3 were masked")
	var metadata, other string
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT metadata::text FROM orders WHERE reference = 'paid-1'").Scan(&metadata))
	require.JSONEq(t, `{"note": "pan ******==", "order": "7"}`, metadata)
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT description FROM orders WHERE reference = 'unknown-1'").Scan(&other))
	require.Equal(t, "ORD-4012000000003010", other)
	require.Contains(t, b.command(t, "cards", "scan"), "0 texts hold")
	last := b.audit(t)
	require.Equal(t, "found in a test", last[len(last)-1].Reason)
}

// What is under an order's data key is opened, masked, and encrypted as before.
func TestCardsAreFoundInWhatIsEncrypted(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	var wrapped []byte
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT data_key FROM orders WHERE id = $1", b.paid.Order).Scan(&wrapped))
	key, err := b.keyring.DataKey(wrapped, "order/"+b.paid.Order.String())
	require.NoError(t, err)
	sealed := key.Seal([]byte(`{"note": "paid with 4012-0000-0000-3010"}`), "provider_calls.provider_data")
	_, err = b.pool.Exec(t.Context(), "UPDATE provider_calls SET provider_data = $1 WHERE order_id = $2", sealed, b.paid.Order)
	require.NoError(t, err)
	require.Regexp(t, `provider_calls_\d+_\d+ +provider_data +\S+`+b.paid.Order.String()+`\S* +evident +\{"note": "paid with 401200\*{6}3010"\}`, b.command(t, "cards", "scan"))
	require.Contains(t, b.command(t, "cards", "scan", "--table", "provider_calls", "--fix", "--reason", "found in a test"), "1 was masked")
	calls, err := b.store.Calls(t.Context(), b.paid)
	require.NoError(t, err)
	require.Equal(t, "paid with 401200******3010", calls[0].ProviderData["note"])
	require.Contains(t, b.command(t, "cards", "scan"), "0 texts hold")
}

func TestOperatorsTextsHoldNoCardNumber(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	for name, args := range b.changing(t) {
		before := b.contents(t)
		for _, with := range [][]string{{"--reason", "card 4012 0000 0000 3010"}, {"--reason", "see 4012000000003010"}, {"--as", "4012000000003010", "--reason", "x"}} {
			require.Contains(t, b.refused(t, append(args[:len(args):len(args)], with...)...), "may be a card number", name)
		}
		require.Equal(t, before, b.contents(t), name)
	}
	require.Contains(t, b.refused(t, "shop", "create", "shop-4012000000003010"), "the name has digits that may be a card number")
	require.Contains(t, b.refused(t, "shop", "set", "first", "--notification-url", "https://shop.example/4012000000003010"), "may be a card number")
	require.Contains(t, b.refused(t, "shop", "set", "first", "--site-url", "https://shop.example/4012000000003010"), "set shop: --site-url has digits")
	for _, setting := range []string{"provider_account=4012000000003010", "gateway_url=https://provider.example/4012000000003010", "form_hosts=4012000000003010.example"} {
		require.Contains(t, b.refused(t, "account", "set", "EUR-1", setting), "may be a card number", setting)
	}
	require.Contains(t, b.refused(t, "account", "create", "EUR-9", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "k", "--secret-file", secretIn(t, "s"),
		"--provider-account", "4012000000003010"), "may be a card number")
	uapay := func(client string) []string {
		return []string{"account", "create", "UAH-9", "--provider", "uapay", "--currency", "UAH", "--client-id", client, "--secret-file", secretIn(t, "s")}
	}
	require.Contains(t, b.refused(t, uapay("4012000000003010")...),
		`the setting "client_id" may be a card number, which must not be kept: copy it once more from the provider's cabinet. If that shows it, ask the provider for another.`)
	b.command(t, uapay("401200000000")...)
}

// refused runs a command that must fail, and returns what it said.
func (b *operated) refused(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	require.NotZero(t, Execute(t.Context(), args, &Streams{Out: &out, Err: &errs, Environ: b.environ}), "%q", args)
	require.NotContains(t, out.String()+errs.String(), "3010")
	return errs.String()
}
