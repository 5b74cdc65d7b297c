package payment

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/routing"
)

// payers are the accounts of threeAccounts, which send payouts, under rules; "" is for none.
func payers(t *testing.T, rules string) (*shopStore, *Service, map[string]*gatewaytest.Fake) {
	t.Helper()
	s, service, providers := threeAccounts()
	if rules != "" {
		s, service, providers = underRules(t, rules)
	}
	for _, fake := range providers {
		fake.PayoutFunc = func(context.Context, gateway.PayoutRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusProcessing}, nil
		}
	}
	return s, service, providers
}

func phonePayout(member ...func(*NewPayout)) NewPayout {
	in := NewPayout{Shop: uuid.New(), Reference: "r", Minor: 100, Currency: "EUR", Method: gateway.PayoutMethod{Phone: "+442079460612"}, RequestHash: []byte("h")}
	for _, set := range member {
		set(&in)
	}
	return in
}

func TestWhereAPayoutGoes(t *testing.T) {
	t.Parallel()
	toSpare := oneRule(`{"kind": ["payout"], "method": ["phone"]}`, `{"accounts": ["spare", "second"]}`)
	for name, c := range map[string]struct {
		rules    string
		change   func(s *shopStore, in *NewPayout)
		heldBack string
		want     string
		code     Code
	}{
		"by priority":                            {want: "first"},
		"by a rule":                              {rules: toSpare, want: "spare"},
		"the one named":                          {rules: toSpare, change: func(_ *shopStore, in *NewPayout) { in.Account = "first" }, want: "first"},
		"a rule for payments is none for it":     {rules: oneRule(`{}`, `{"accounts": ["spare"]}`), code: CodeNoRoute},
		"one for payments only is passed over":   {change: func(s *shopStore, _ *NewPayout) { s.accounts[0].Purpose = PurposePayments }, want: "second"},
		"one without payouts is passed over":     {rules: toSpare, change: func(s *shopStore, _ *NewPayout) { s.accounts[2].Withheld = map[string]string{canPayout: "contract"} }, want: "second"},
		"one whose host fails is passed over":    {rules: toSpare, heldBack: "spare", want: "second"},
		"the one that it waits for a release at": {rules: toSpare, change: func(s *shopStore, _ *NewPayout) { s.approved = "first" }, want: "first"},
		"no currency":                            {rules: toSpare, change: func(_ *shopStore, in *NewPayout) { in.Currency = "" }, code: CodeInvalid},
		"a card of nobody":                       {rules: toSpare, change: func(_ *shopStore, in *NewPayout) { in.PayoutCard = &in.Shop }, code: CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, service, providers := payers(t, c.rules)
			in := phonePayout()
			if c.change != nil {
				c.change(s, &in)
			}
			if c.heldBack != "" {
				providers[c.heldBack].HeldBackFunc = func(gateway.Ref) time.Duration { return time.Second }
			}
			problems := service.Check(t.Context(), in)
			o, _, err := service.Payout(t.Context(), in)
			require.Equal(t, c.code, CodeOf(err), "%v", err)
			if c.want == "" {
				require.Empty(t, s.orders)
				require.Equal(t, c.code == CodeInvalid, len(problems) > 0)
				return
			}
			require.Empty(t, problems)
			require.Equal(t, c.want, o.AccountName)
			require.EqualValues(t, "EUR", o.Amount.Currency())
		})
	}
}

// A payout to a card that a customer left goes to the card's account, whatever the rules say.
func TestAPayoutFollowsItsPayoutCard(t *testing.T) {
	t.Parallel()
	s, service, _ := payers(t, oneRule(`{"kind": ["payout"]}`, `{"accounts": ["first"]}`))
	card := orderIn(t, StatusSucceeded)
	card.Kind, card.ProviderOrderID = gateway.KindPayoutCard, "card-1"
	card = s.with(card)
	card.AccountID, card.AccountName = s.accounts[2].ID, "spare"
	o, _, err := service.Payout(t.Context(), phonePayout(func(in *NewPayout) {
		in.Shop, in.Method, in.PayoutCard, in.Currency = card.ShopID, gateway.PayoutMethod{}, &card.ID, ""
	}))
	require.NoError(t, err)
	require.Equal(t, "spare", o.AccountName)
}

// A payout stays where it was begun, unless its rule says that it goes on, and nothing was sent. A repeat finds it there.
func TestAPayoutGoesOnOnlyIfItsRuleSaysSo(t *testing.T) {
	t.Parallel()
	const accounts = `"accounts": ["spare", "second"]`
	notSent, unknown := &gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}, &gateway.Error{Kind: gateway.KindUnknown}
	for name, c := range map[string]struct {
		rules  string
		err    error
		want   string
		status Status
	}{
		"by priority":      {"", notSent, "first", StatusFailed},
		"without failover": {oneRule(`{"kind": ["payout"]}`, `{`+accounts+`}`), notSent, "spare", StatusFailed},
		"with it":          {oneRule(`{"kind": ["payout"]}`, `{`+accounts+`, "failover": true}`), notSent, "second", StatusProcessing},
		"it is not known":  {oneRule(`{"kind": ["payout"]}`, `{`+accounts+`, "failover": true}`), unknown, "spare", StatusUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, service, providers := payers(t, c.rules)
			for _, account := range []string{"first", "spare"} {
				providers[account].PayoutFunc = func(context.Context, gateway.PayoutRequest) (gateway.Result, error) { return gateway.Result{}, c.err }
			}
			in := phonePayout()
			o, isNew, err := service.Payout(t.Context(), in)
			require.NoError(t, err)
			require.True(t, isNew)
			require.Equal(t, c.want, o.AccountName)
			require.Equal(t, c.status, o.Status)
			if c.rules != "" {
				d := decided(t, service, o)
				require.Equal(t, "payout", d.Facts.Kind)
				require.Equal(t, "phone", d.Facts.Method)
				text, err := json.Marshal(d)
				require.NoError(t, err)
				require.NotContains(t, string(text), "2079460612")
			}
			calls := 0
			for _, fake := range providers {
				calls += len(fake.Calls())
			}
			s.accounts[2].Mode = "drain"
			repeat, isNew, err := service.Payout(t.Context(), in)
			require.NoError(t, err)
			require.False(t, isNew)
			require.Equal(t, o.ID, repeat.ID)
			require.Equal(t, c.want, repeat.AccountName)
			for _, fake := range providers {
				calls -= len(fake.Calls())
			}
			require.Zero(t, calls, "a repeat sends nothing")
		})
	}
}

// A card's BIN is asked for by rules of payouts, too, and its number kept nowhere.
func TestAPayoutIsRoutedByItsMethod(t *testing.T) {
	t.Parallel()
	_, service, _ := payers(t, "")
	require.Equal(t, "bank_account", service.payoutFacts(NewPayout{Method: gateway.PayoutMethod{BankAccount: &gateway.BankAccount{}}}, "books").Method)
	require.Equal(t, "payout_card", service.payoutFacts(NewPayout{}, "books").Method)
	require.Equal(t, routing.Facts{Shop: "books", Kind: "payout", Currency: "EUR", Amount: 100, Flow: "direct", Capture: "automatic", Method: "phone"}, service.payoutFacts(phonePayout(), "books"))
}
