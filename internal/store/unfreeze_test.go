package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

func TestUnfreezingWantsTheHistory(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	require.ErrorContains(t, b.unfreeze(t, b.paid), "not frozen")
	for _, change := range []string{"amount_captured = 900", "amount_refunded = 399", "status = 'failed'", "sequence = 9", "chain = '\\x00'"} {
		old := b.kept(t, b.paid)
		b.tamper(t, "UPDATE orders SET "+change+" WHERE reference = 'paid-1'")
		require.ErrorContains(t, b.unfreeze(t, b.paid), "stays frozen", change)
		b.tamper(t, old...)
	}
	b.tamper(t, "UPDATE orders SET provider_reference = 'moved' WHERE reference = 'paid-1'")
	require.NoError(t, b.unfreeze(t, b.paid, "provider_reference"))
	require.Empty(t, b.verify(t))
	_, err := b.Order(t.Context(), b.paid)
	require.NoError(t, err)
}

// unfreeze accepts facts by name.
func (b *fixture) unfreeze(t *testing.T, key payment.Key, accepted ...string) error {
	t.Helper()
	_, err := b.Unfreeze(t.Context(), key, accepted)
	return err
}

// What the history does not say is believed if something that is sealed or encrypted confirms it, or by name.
func TestUnfreezingNamesWhatNothingConfirms(t *testing.T) {
	t.Parallel()
	for column, c := range map[string]struct{ change, fact, says string }{
		"amount":             {"amount = 1001", "amount", `amount is "1001", and by notification 2 "1000"`},
		"currency":           {"currency = 'USD'", "currency", `currency is "USD", and by notification 2 "EUR"`},
		"account_name":       {"account_name = 'EUR-9'", "account", `account is "EUR-9", and by notification 2 "EUR-1"`},
		"account_id":         {"account_id = (SELECT id FROM accounts WHERE name = 'EUR-2')", "account_id", `and by the accounts "`},
		"provider_order_id":  {"provider_order_id = 'pr-1'", "provider_order_id", `provider_order_id is "pr-1", and by its computation "`},
		"provider_reference": {"provider_reference = 'moved'", "provider_reference", `provider_reference is "moved", and by notification 2 ""`},
		"notification_url":   {"notification_url = 'https://evil.example/'", "notification_url", `notification_url is "https://evil.example/", and nothing else says so`},
		"capture_amount":     {"capture_amount = 7", "capture_amount", `capture_amount is "7", and nothing else says so`},
		"amount_disputed":    {"amount_disputed = 1", "", ""},
		"flow":               {"flow = 'direct'", "flow", `flow is "direct", and by notification 2 "hosted"`},
	} {
		b := newTampered(t)
		b.tamper(t, "UPDATE orders SET "+c.change+" WHERE reference = 'paid-1'")
		err := b.unfreeze(t, b.paid)
		require.ErrorContains(t, err, "stays frozen", column)
		if column == "amount_disputed" {
			require.ErrorContains(t, err, "disputes took 1 of the payment", column)
			continue
		}
		if column == "notification_url" {
			require.ErrorContains(t, err, "the address is not the order's", "the notification went elsewhere")
			continue
		}
		if column == "account_name" {
			require.ErrorContains(t, err, `account_id is "`, "no account has that name")
		}
		require.ErrorContains(t, err, c.says, column)
		_, err = b.Order(t.Context(), b.paid)
		require.ErrorIs(t, err, payment.ErrFrozen, column)
		if column == "account_name" {
			continue
		}
		require.ErrorContains(t, b.unfreeze(t, b.paid, c.fact, "recurring"), "--accept recurring: nothing has to be accepted", column)
		require.NoError(t, b.unfreeze(t, b.paid, c.fact), column)
		var before, after string
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT before::text, after::text FROM audit_log WHERE action = 'order unfreeze'").Scan(&before, &after))
		require.Contains(t, after, `"accepted":["`+c.fact+`"]`, column)
		if !strings.Contains(c.says, "nothing else") {
			require.Contains(t, before, `"`+c.fact+`":`, column)
		}
	}
}

// An order of which nothing was said yet has no witness but its operator.
func TestUnfreezingAnOrderOfWhichNothingWasSaid(t *testing.T) {
	t.Parallel()
	b := newTampered(t)
	o := b.create(t, "fresh-1", 500)
	b.tamper(t, "UPDATE orders SET amount = 600 WHERE reference = 'fresh-1'")
	require.ErrorContains(t, b.unfreeze(t, o.Key()), `amount is "600", and nothing else says so; currency is "EUR", and nothing else says so`)
	require.NoError(t, b.unfreeze(t, o.Key(), "amount", "currency", "amount_authorized", "capture", "flow", "recurring", "provider", "account"))
}
