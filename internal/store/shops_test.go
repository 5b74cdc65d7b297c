package store_test

import (
	"bytes"
	"errors"
	"net/netip"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

func TestShopsAreNamedOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for _, name := range []string{"first", "", "two words", "é"} {
		_, err := b.CreateShop(t.Context(), store.NewShop{Name: name, Key: shop.NewKey(), Scopes: shop.Scopes, WebhookSecret: "whsec_x"})
		require.Equal(t, payment.CodeInvalid, payment.CodeOf(err), name)
		require.ErrorContains(t, err, `"`+name+`"`)
	}
	b.newShop(t, "another", "")
	shops, err := b.Shops(t.Context())
	require.NoError(t, err)
	require.Len(t, shops, 2)
	require.Equal(t, "another", shops[0].Name)
	require.Equal(t, b.shop, shops[1])
	got, err := b.ShopByName(t.Context(), "first")
	require.NoError(t, err)
	require.Equal(t, b.shop, got)
	_, err = b.ShopByName(t.Context(), "nobody")
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(err))
	live, err := b.WebhookSecrets(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.Equal(t, []gateway.Secret{gateway.Secret(b.secret)}, live)
	_, err = b.WebhookSecrets(t.Context(), uuid.New())
	require.ErrorIs(t, err, payment.ErrNotFound)
}

// Changes of a shop that are made at once all stay. One that was meant for another version is refused, with the shop as it is.
func TestNoChangeOfAShopUndoesAnother(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	members := []func(*shop.Defaults) *string{
		func(d *shop.Defaults) *string { return &d.SiteURL }, func(d *shop.Defaults) *string { return &d.ReturnURL },
		func(d *shop.Defaults) *string { return &d.SuccessURL }, func(d *shop.Defaults) *string { return &d.FailURL },
	}
	change := func(i int, expect int64) (shop.Shop, error) {
		return b.SetShop(t.Context(), "first", store.ShopChange{Expect: expect, Apply: func(now *shop.Shop) error {
			*members[i](&now.Defaults) = "https://shop.example/" + strconv.Itoa(i)
			return nil
		}})
	}
	for _, err := range race(len(members), func(i int) error {
		_, err := change(i, 0)
		return err
	}) {
		require.NoError(t, err)
	}
	now, err := b.ShopByName(t.Context(), "first")
	require.NoError(t, err)
	for i, member := range members {
		require.Equal(t, "https://shop.example/"+strconv.Itoa(i), *member(&now.Defaults))
	}
	require.EqualValues(t, 5, now.Version)
	require.Equal(t, "https://shop.example/hook", now.NotificationURL)

	require.NoError(t, b.SetShopMode(t.Context(), "first", shop.ModeDrain))
	_, err = change(0, 5)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err))
	require.ErrorContains(t, err, "is at version 6, and not 5: somebody has changed it. It is drain now, with notification_url=https://shop.example/hook")
	set, err := change(0, 6)
	require.NoError(t, err)
	require.EqualValues(t, 7, set.Version)
	findings, err := b.CheckConfiguration(t.Context())
	require.NoError(t, err)
	require.Empty(t, findings)
}

func TestAccountsComeBackWithTheirSecrets(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	second := b.newAccount(t, "AAA-2")
	got, err := b.Account(t.Context(), b.account.ID)
	require.NoError(t, err)
	require.Equal(t, b.account, got)
	require.Equal(t, "hunter2", got.Secrets["secret"].Reveal())
	byToken, err := b.AccountByCallbackToken(t.Context(), b.account.CallbackToken.Reveal())
	require.NoError(t, err)
	require.Equal(t, b.account, byToken)
	mine, err := b.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	linked := b.account
	linked.Priority = 1
	require.Equal(t, []payment.Account{linked}, mine)
	all, err := b.Accounts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []payment.Account{second, b.account}, all)

	_, err = b.Account(t.Context(), uuid.New())
	require.ErrorIs(t, err, payment.ErrNotFound)
	_, err = b.AccountByCallbackToken(t.Context(), "guess")
	require.ErrorIs(t, err, payment.ErrNotFound)
	_, err = b.CreateAccount(t.Context(), store.NewAccount{Name: "EUR-1", Provider: "fake", Currency: "EUR"})
	require.ErrorContains(t, err, `"EUR-1"`)
	_, err = b.CreateAccount(t.Context(), store.NewAccount{Name: "a b", Provider: "fake", Currency: "EUR"})
	require.ErrorContains(t, err, `"a b"`)
	_, err = b.CreateAccount(t.Context(), store.NewAccount{Name: "new", Provider: "fake", Currency: "EUR", Shops: []string{"first", "nobody"}})
	require.ErrorContains(t, err, `"nobody"`)
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM accounts"))
}

func TestAnAccountIsChangedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	change := store.AccountChange{Settings: map[string]string{"url": "", "new": "yes"}}
	set := func(name string, change store.AccountChange, check func(payment.Account) error) error {
		_, err := b.SetAccount(t.Context(), name, change, check)
		return err
	}
	same := func() {
		t.Helper()
		got, err := b.Account(t.Context(), b.account.ID)
		require.NoError(t, err)
		require.Equal(t, b.account, got)
	}
	refused := errors.New("refused")
	require.ErrorIs(t, set("EUR-1", change, func(payment.Account) error { return refused }), refused)
	same()
	ok := func(payment.Account) error { return nil }
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(set("EUR-9", change, ok)))

	var checked payment.Account
	require.NoError(t, set("EUR-1", change, func(a payment.Account) error { checked = a; return nil }))
	got, err := b.Account(t.Context(), b.account.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"new": "yes"}, got.Settings)
	require.Equal(t, b.account.Version+1, got.Version)
	checked.Version = got.Version
	require.Equal(t, checked, got)

	// Who expects what is no longer so changes nothing, and reads how it is.
	stale := store.AccountChange{Settings: map[string]string{"new": "no"}, Expect: b.account.Version}
	err = set("EUR-1", stale, ok)
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(err))
	require.ErrorContains(t, err, "at version 2, and not 1: somebody has changed it. It is enabled now, with the settings: new=yes. Nothing was changed.")
	stale.Expect = got.Version
	require.NoError(t, set("EUR-1", stale, ok))
	require.NoError(t, b.SetAccountMode(t.Context(), "EUR-1", shop.ModeDrain))
	_, err = b.RotateCallbackToken(t.Context(), "EUR-1", 0)
	require.NoError(t, err)
	got, err = b.Account(t.Context(), b.account.ID)
	require.NoError(t, err)
	require.EqualValues(t, 5, got.Version, "each change of the row counts")
}

func TestSecretsCannotBeSwappedBetweenRows(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	second := b.newAccount(t, "EUR-2")
	require.Equal(t, 2, b.count(t, "SELECT count(DISTINCT value) FROM account_secrets"), "the same secret is two ciphertexts")
	require.Zero(t, b.count(t, "SELECT count(*) FROM account_secrets WHERE position('hunter2'::bytea in value) > 0"))
	b.exec(t, "UPDATE account_secrets SET value = (SELECT value FROM account_secrets WHERE account_id = $1) WHERE account_id = $2", b.account.ID, second.ID)
	_, err := b.Account(t.Context(), second.ID)
	require.ErrorContains(t, err, "decrypt")

	one, two := b.create(t, "r-1", 1000), b.create(t, "r-2", 1000)
	for _, o := range []*payment.Order{one, two} {
		_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
			o.ProviderState = map[string]gateway.Secret{"s": "hunter2"}
			o.NextAction = &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://hunter2.example"}
			return nil
		})
		require.NoError(t, err)
	}
	require.Zero(t, b.count(t, "SELECT count(*) FROM orders WHERE position('hunter2'::bytea in provider_state || next_action || details) > 0"))
	var heard string
	b.SealBroken = func(f store.Finding) { heard = f.What }
	b.exec(t, "UPDATE orders SET details = (SELECT details FROM orders WHERE id = $1) WHERE id = $2", one.ID, two.ID)
	_, err = b.Order(t.Context(), two.Key())
	require.ErrorIs(t, err, payment.ErrFrozen)
	require.Contains(t, heard, "decrypt orders.details")
	b.exec(t, "UPDATE orders SET details = NULL")
	b.exec(t, "UPDATE orders SET provider_state = (SELECT provider_state FROM orders WHERE id = $1) WHERE id = $2", one.ID, two.ID)
	_, err = b.Order(t.Context(), two.Key())
	require.ErrorIs(t, err, payment.ErrFrozen)
	require.Contains(t, heard, "decrypt orders.provider_state")
	b.exec(t, "UPDATE orders SET next_action = provider_state WHERE id = $1", one.ID)
	_, err = b.Order(t.Context(), one.Key())
	require.ErrorIs(t, err, payment.ErrFrozen)
	require.Contains(t, heard, "decrypt orders.next_action")
}

func TestServiceKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	keys := make([][]byte, 20)
	errs := race(len(keys), func(i int) (err error) {
		fresh := store.New(b.pool, store.Options{Keyring: b.box})
		keys[i], err = fresh.ServiceKey(t.Context(), "request_hash")
		return err
	})
	require.NoError(t, errors.Join(errs...))
	for _, k := range keys {
		require.Len(t, k, 32)
		require.True(t, bytes.Equal(keys[0], k))
	}
	other, err := b.ServiceKey(t.Context(), "other")
	require.NoError(t, err)
	require.NotEqual(t, keys[0], other)
	repeated, err := b.ServiceKey(t.Context(), "other")
	require.NoError(t, err)
	require.Equal(t, other, repeated)
	require.Zero(t, b.count(t, "SELECT count(*) FROM service_keys WHERE value = $1", other))
}

func TestDemoDataIsMadeOnceAndRecognised(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	has, err := store.New(b.pool, store.Options{}).HasDemoKey(t.Context())
	require.NoError(t, err)
	require.False(t, has)
	ensure := func(url string) string {
		secret, err := b.EnsureDemoShop(t.Context(), store.DemoShop{Name: "demo", Key: shop.DemoKey, NotificationURL: url})
		require.NoError(t, err)
		require.NoError(t, b.EnsureDemoAccount(t.Context(), store.NewAccount{
			Name: "EUR-demo", Provider: "fake", Currency: "EUR", Settings: map[string]string{"url": url}, Shops: []string{"demo"},
		}))
		return secret
	}
	secret := ensure("http://127.0.0.1:1")
	require.Equal(t, secret, ensure("http://127.0.0.1:2"))
	has, err = b.HasDemoKey(t.Context())
	require.NoError(t, err)
	require.True(t, has)
	p, err := b.Authenticate(t.Context(), shop.DemoKey, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:2", p.Shop.NotificationURL)
	accounts, err := b.ShopAccounts(t.Context(), p.Shop.ID)
	require.NoError(t, err)
	require.Len(t, accounts, 1)
	require.Equal(t, "http://127.0.0.1:2", accounts[0].Settings["url"])
	b.clock.Add(20 * 366 * day) // as far as the clock of `dev` moves
	_, err = b.Authenticate(t.Context(), shop.DemoKey, netip.Addr{})
	require.NoError(t, err, "the demo key does not end")
}

func TestShopsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.paid(t, "r-1", 1000)
	other, _, _ := b.newShop(t, "other", "https://other.example")
	foreign, ctx := payment.Key{Shop: other.ID, Order: o.ID}, t.Context()

	_, err := b.Order(ctx, foreign)
	require.ErrorIs(t, err, payment.ErrNotFound)
	_, err = b.OrderByReference(ctx, other.ID, o.Kind, o.Reference)
	require.ErrorIs(t, err, payment.ErrNotFound)
	_, err = b.History(ctx, foreign)
	require.ErrorIs(t, err, payment.ErrNotFound)
	_, err = b.UpdateOrder(ctx, foreign, func(*payment.Order) error { panic("must not run") })
	require.ErrorIs(t, err, payment.ErrNotFound)
	page, err := b.Orders(ctx, payment.Filter{Shop: other.ID})
	require.NoError(t, err)
	require.Empty(t, page.Items)
	feed, err := b.Feed(ctx, other.ID, "", 10)
	require.NoError(t, err)
	require.Empty(t, feed.Items)
	accounts, err := b.ShopAccounts(ctx, other.ID)
	require.NoError(t, err)
	require.Empty(t, accounts)
	d, _, err := b.LeaseDelivery(ctx, foreign, lease, roomy)
	require.NoError(t, err)
	require.Nil(t, d)
	for name, list := range map[string]func() (int, error){
		"calls":         func() (int, error) { l, err := b.Calls(ctx, foreign); return len(l), err },
		"conflicts":     func() (int, error) { l, err := b.Conflicts(ctx, foreign); return len(l), err },
		"callbacks":     func() (int, error) { l, err := b.CallbacksOf(ctx, foreign); return len(l), err },
		"notifications": func() (int, error) { l, err := b.NotificationsOf(ctx, foreign); return len(l), err },
		"notified":      func() (int, error) { l, err := b.Notified(ctx, foreign); return len(l), err },
		"attempts":      func() (int, error) { l, err := b.Attempts(ctx, foreign); return len(l), err },
	} {
		n, err := list()
		require.NoError(t, err, name)
		require.Zero(t, n, name)
	}
	refund := b.draftRefund(t, o, "refund", 10)
	refund.ShopID = other.ID
	_, _, err = b.createRefund(ctx, refund)
	require.ErrorIs(t, err, payment.ErrNotFound)
}
