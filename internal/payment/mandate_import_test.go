package payment

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// Of what a provider names of a parent everything must be as the agreement says, and it must name a sum.
func TestWhatAProviderShowsOfAParent(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	sum := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		shown gateway.Result
		field string
		says  string
	}{
		"paid":                {gateway.Result{Status: gateway.StatusSucceeded, Settled: sum(1000)}, "", ""},
		"all is named":        {gateway.Result{Status: gateway.StatusSucceeded, Settled: sum(1000), Amount: sum(1000), Currency: "EUR", Kind: gateway.KindPayment, Refunded: sum(0)}, "", ""},
		"only what was asked": {gateway.Result{Status: gateway.StatusSucceeded, Amount: sum(1000)}, "", ""},
		"no sum":              {gateway.Result{Status: gateway.StatusSucceeded}, "amount", "names no sum"},
		"another sum":         {gateway.Result{Status: gateway.StatusSucceeded, Settled: sum(900), Amount: sum(1000)}, "amount", "900 was paid"},
		"another sum asked":   {gateway.Result{Status: gateway.StatusSucceeded, Settled: sum(1000), Amount: sum(1200)}, "amount", "1200 was asked for"},
		"nothing":             {gateway.Result{Status: gateway.StatusSucceeded, Settled: sum(0)}, "amount", "0 was paid"},
		"another currency":    {gateway.Result{Status: gateway.StatusSucceeded, Settled: sum(1000), Currency: "USD"}, "currency", "the provider says USD"},
		"a refund":            {gateway.Result{Status: gateway.StatusSucceeded, Settled: sum(1000), Kind: gateway.KindRefund}, "provider_order_id", "as a refund"},
		"given back in part":  {gateway.Result{Status: gateway.StatusSucceeded, Settled: sum(1000), Refunded: sum(1)}, "provider_order_id", "1 of it went back"},
		"held":                {gateway.Result{Status: gateway.StatusAuthorized, Settled: sum(1000)}, "provider_order_id", "as authorized"},
		"under way":           {gateway.Result{Status: gateway.StatusProcessing, Amount: sum(1000)}, "provider_order_id", "as processing"},
		"failed":              {gateway.Result{Status: gateway.StatusFailed}, "provider_order_id", "as failed"},
		"an unlisted state":   {gateway.Result{Settled: sum(1000)}, "provider_order_id", "not listed"},
		"charged twice":       {gateway.Result{Status: gateway.StatusSucceeded, Settled: sum(1000), BankReferences: []string{"1", "2"}}, "provider_order_id", "conflict or dispute"},
	} {
		a := Agreement{Reference: "sub-1", Parent: "their-1", Amount: money.New(1000, "EUR"), Terms: MandateTerms{MaxAmount: 700}}
		o := s.parentOrder(uuid.New(), target{account: Account{Provider: "fake", Name: "EUR-1"}}, &a)
		wrong := o.parentFault(c.shown, s.Now())
		if c.says == "" {
			require.Nil(t, wrong, name)
			require.Equal(t, []any{StatusSucceeded, int64(1000), true}, []any{o.Status, o.Captured, o.Imported()}, name)
			require.Nil(t, o.NextPollAt, name)
			continue
		}
		require.NotNil(t, wrong, name)
		require.Equal(t, c.field, wrong.Field, name)
		require.Contains(t, wrong.Message, c.says, name)
	}
}

// Accounts of one merchant have one name, regardless of their other settings; others have another.
func TestTheMerchantOfAnAccount(t *testing.T) {
	t.Parallel()
	of := func(provider, client, key, secret string) string {
		return target{
			opened: &opened{description: gateway.Description{
				Settings: []gateway.Setting{{Name: "client", Merchant: true}, {Name: "url"}}, Secrets: []gateway.Setting{{Name: "key", Merchant: true}, {Name: "secret"}},
			}},
			account: Account{Provider: provider, Settings: map[string]string{"client": client, "url": uuid.NewString()}, Secrets: map[string]gateway.Secret{"key": gateway.Secret(key), "secret": gateway.Secret(secret)}},
		}.merchant()
	}
	one := of("p", "c", "k", "s")
	require.Equal(t, one, of("p", "c", "k", "another"))
	for _, other := range []string{of("q", "c", "k", "s"), of("p", "d", "k", "s"), of("p", "c", "l", "s"), of("p", `c","k`, "", "s")} {
		require.NotEqual(t, one, other)
	}
}

// A repeat is one of the same parent, sum and terms.
func TestAnAgreementIsToldByItsParentSumAndTerms(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	agreement := func(change func(*Agreement)) string {
		a := Agreement{Reference: "a", Parent: "p", Amount: money.New(1000, "EUR"), Description: "Socks", Terms: MandateTerms{MaxAmount: 1000}}
		change(&a)
		return string(a.hash())
	}
	same := agreement(func(*Agreement) {})
	require.Equal(t, same, agreement(func(a *Agreement) { a.Description, a.Metadata = "Shoes", map[string]string{"customer_id": "c"} }))
	for name, change := range map[string]func(*Agreement){
		"parent": func(a *Agreement) { a.Parent = "q" }, "sum": func(a *Agreement) { a.Amount = money.New(1001, "EUR") }, "currency": func(a *Agreement) { a.Amount = money.New(1000, "USD") },
		"max amount": func(a *Agreement) { a.Terms.MaxAmount = 1001 }, "min days": func(a *Agreement) { a.Terms.MinDays = 1 }, "charges": func(a *Agreement) { a.Terms.MaxCharges = 1 },
		"end": func(a *Agreement) { a.Terms.ExpiresAt = &at }, "beginning": func(a *Agreement) { a.Terms.CountsFrom = &at },
		"schedule": func(a *Agreement) { a.Terms.Schedule = &MandateSchedule{Every: EveryMonth, Interval: 1, Amount: 1} },
	} {
		require.NotEqual(t, same, agreement(change), name)
	}
}
