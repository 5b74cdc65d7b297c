package payment

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/bintable"
	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/routing"
	"payrelay/internal/shop"
)

// underRules has a service with the accounts of threeAccounts route by rules.
func underRules(t *testing.T, body string) (s *shopStore, service *Service, providers map[string]*gatewaytest.Fake) {
	t.Helper()
	s, service, providers = threeAccounts()
	set, problems := routing.Parse([]byte(body))
	require.Empty(t, problems)
	service.FingerprintKey = []byte("key")
	service.RoutingRules = func(context.Context, uuid.UUID) (*RoutingRules, error) {
		return &RoutingRules{ID: "set-1", Shop: "books", Set: set}, nil
	}
	return s, service, providers
}

func oneRule(when, then string) string {
	return fmt.Sprintf(`{"rules": [{"name": "rule", "when": %s, "then": %s}], "otherwise": "refuse"}`, when, then)
}

func euros(member ...func(*NewPayment)) NewPayment {
	in := NewPayment{Shop: uuid.New(), Reference: "r", Amount: money.New(100, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h")}
	for _, set := range member {
		set(&in)
	}
	return in
}

// decided is the decision that an order keeps, which its facts give once more.
func decided(t *testing.T, service *Service, o *Order) routing.Decision {
	t.Helper()
	var d routing.Decision
	require.NoError(t, json.Unmarshal(o.Routing, &d))
	rules, err := service.RoutingRules(t.Context(), o.ShopID)
	require.NoError(t, err)
	next := rules.Set.Decide(d.Facts, d.Considered())
	next.Set = d.Set
	require.Equal(t, d, next, "from its facts")
	return d
}

func TestRulesChooseTheAccount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body        string
		drained     string
		heldBack    string
		want        string
		rule        string
		reasonFirst routing.Reason // of the first candidate
		code        Code
	}{
		"an account without a priority":       {body: oneRule(`{}`, `{"accounts": ["spare", "first"]}`), want: "spare", rule: "rule"},
		"a drained one is passed over":        {body: oneRule(`{}`, `{"accounts": ["spare", "first"]}`), drained: "spare", want: "first", rule: "rule", reasonFirst: routing.Draining},
		"one held back is passed over":        {body: oneRule(`{}`, `{"accounts": ["spare", "first"]}`), heldBack: "spare", want: "first", rule: "rule", reasonFirst: routing.CircuitOpen},
		"one that the shop may not use":       {body: oneRule(`{}`, `{"accounts": ["foreign", "second"]}`), want: "second", rule: "rule", reasonFirst: routing.NotLinked},
		"no rule fits":                        {body: oneRule(`{"currency": ["USD"]}`, `{"accounts": ["first"]}`), code: CodeNoRoute},
		"nobody is left":                      {body: oneRule(`{}`, `{"accounts": ["second"]}`), drained: "second", code: CodeNoRoute},
		"no rule fits, and priorities decide": {body: strings.Replace(oneRule(`{"currency": ["USD"]}`, `{"accounts": ["spare"]}`), "refuse", "by_priority", 1), want: "first"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, service, providers := underRules(t, c.body)
			for i := range s.accounts {
				if s.accounts[i].Name == c.drained {
					s.accounts[i].Mode = shop.ModeDrain
				}
			}
			if c.heldBack != "" {
				providers[c.heldBack].HeldBackFunc = func(gateway.Ref) time.Duration { return time.Second }
			}
			o, _, err := service.CreatePayment(t.Context(), euros())
			require.Equal(t, c.code, CodeOf(err), "%v", err)
			if c.code != "" {
				require.Empty(t, s.orders, "nothing is written")
				return
			}
			require.Equal(t, c.want, o.AccountName)
			d := decided(t, service, o)
			require.Equal(t, "set-1", d.Set)
			require.Equal(t, c.rule, d.Rule)
			require.Equal(t, c.reasonFirst, d.Candidates[0].Reason)
		})
	}
}

func TestNoRouteNamesTheReasonsAndNoForeignAccount(t *testing.T) {
	t.Parallel()
	s, service, _ := underRules(t, oneRule(`{}`, `{"accounts": ["foreign", "first"]}`))
	s.accounts[0].Mode = shop.ModeOff
	in := euros()
	_, _, err := service.CreatePayment(t.Context(), in)
	require.Equal(t, []gateway.FieldError{{Field: "account", Message: "is not first: it is switched off"}}, fieldsOf(err))
	require.NotContains(t, err.Error(), "foreign")

	// A repeat of what was taken before is answered with its order all the same.
	s.accounts[0].Mode = shop.ModeEnabled
	first, isNew, err := service.CreatePayment(t.Context(), in)
	require.NoError(t, err)
	require.True(t, isNew)
	s.accounts[0].Mode = shop.ModeOff
	repeat, isNew, err := service.CreatePayment(t.Context(), in)
	require.NoError(t, err)
	require.False(t, isNew)
	require.Equal(t, first.ID, repeat.ID)
}

// A request that could be read in part only is not complained about because of where that part would go.
func TestAPartOfARequestHasNoRoute(t *testing.T) {
	t.Parallel()
	_, service, _ := underRules(t, oneRule(`{"currency": ["EUR"], "amount": {"gte": 100}}`, `{"accounts": ["first"]}`))
	require.Empty(t, service.Check(t.Context(), NewPayment{Shop: uuid.New(), Flow: gateway.FlowHosted}))
	require.Empty(t, service.Check(t.Context(), euros(func(in *NewPayment) { in.Amount = money.New(1, "EUR") })))
}

func TestANamedAccountIsNeverRouted(t *testing.T) {
	t.Parallel()
	_, service, _ := underRules(t, oneRule(`{}`, `{"accounts": ["spare"]}`))
	service.RoutingRules = func(context.Context, uuid.UUID) (*RoutingRules, error) {
		t.Error("rules were asked for")
		return nil, nil //nolint:nilnil // never reached
	}
	o, _, err := service.CreatePayment(t.Context(), euros(func(in *NewPayment) { in.Account = "second" }))
	require.NoError(t, err)
	require.Equal(t, "second", o.AccountName)
	require.Nil(t, o.Routing)
}

// Where nothing was sent, the order goes on to the next candidate of the rule, and never to an account that the rule does not name.
func TestFailoverGoesOnInTheOrderOfTheRule(t *testing.T) {
	t.Parallel()
	s, service, providers := underRules(t, oneRule(`{}`, `{"accounts": ["spare", "second"]}`))
	dead := func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}
	}
	providers["spare"].CreatePaymentFunc = dead
	o, _, err := service.CreatePayment(t.Context(), euros())
	require.NoError(t, err)
	require.Equal(t, "second", o.AccountName)
	require.Len(t, s.ended, 1)
	require.Equal(t, []string{"spare", "second"}, func() []string { d := decided(t, service, o); return d.Accounts() }())

	providers["second"].CreatePaymentFunc = dead
	o, _, err = service.CreatePayment(t.Context(), euros(func(in *NewPayment) { in.Reference = "r2" }))
	require.NoError(t, err)
	require.Equal(t, StatusFailed, o.Status, "first is no candidate")
}

// What is stored of a card is its BIN, and of a customer nothing but keyed hashes and what rules ask for.
func TestADecisionHoldsNoPersonalData(t *testing.T) {
	t.Parallel()
	const number = "4012000000003010"
	pan, err := card.ParsePAN(number)
	require.NoError(t, err)
	in := euros(func(in *NewPayment) {
		in.Flow, in.Method.Card = gateway.FlowDirect, &card.Card{Number: pan, Expiry: card.Expiry{Month: 12, Year: 2099}}
		in.Customer = gateway.Customer{Email: "john@example.com", FirstName: "John", Address: gateway.Address{Country: "GB"}}
		in.Metadata = map[string]string{"customer_id": "17", "note": "secret-note", "channel": "web"}
	})
	_, service, _ := underRules(t, oneRule(`{"card.bin": ["401200"], "metadata.channel": ["web"]}`, `{"split": {"first": 1, "second": 1}, "sticky": "customer"}`))
	o, _, err := service.CreatePayment(t.Context(), in)
	require.NoError(t, err)
	d := decided(t, service, o)
	require.Equal(t, "401200", d.Facts.CardBIN)
	require.Equal(t, "GB", d.Facts.CustomerCountry)
	require.Equal(t, "VISA", d.Facts.CardBrand)
	require.Equal(t, routing.StickyCustomer, d.Draw)
	for _, personal := range []string{number, "40120000", "john", "John", "secret-note", `"17"`, `"r"`} {
		require.NotContains(t, string(o.Routing), personal)
	}
	in.Reference = "r2"
	in.Metadata["note"] = "another"
	other, _, err := service.CreatePayment(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, o.AccountName, other.AccountName, "the same customer")
}

// The country of a card is a fact of payments and payouts by card alone. It is kept with the decision, so a later table changes nothing.
func TestACardIsRoutedByItsCountry(t *testing.T) {
	t.Parallel()
	list, err := bintable.Read([]byte("bin,country\n401200,GB\n"))
	require.NoError(t, err)
	pan, err := card.ParsePAN("4012000000003010")
	require.NoError(t, err)
	direct := func(in *NewPayment) {
		in.Flow, in.Method.Card = gateway.FlowDirect, &card.Card{Number: pan, Expiry: card.Expiry{Month: 12, Year: 2099}}
	}
	const when = `{"kind": ["payment", "payout"], "card.country": ["GB"]}`
	for name, c := range map[string]struct {
		bins *bintable.Table
		make func(*Service) (*Order, error)
		code Code
	}{
		"a card": {list.Table, func(s *Service) (o *Order, err error) {
			o, _, err = s.CreatePayment(t.Context(), euros(direct))
			return o, err
		}, ""},
		"a payout to a card": {list.Table, func(s *Service) (o *Order, err error) {
			o, _, err = s.Payout(t.Context(), phonePayout(func(in *NewPayout) { in.Method = gateway.PayoutMethod{Card: &card.Card{Number: pan}} }))
			return o, err
		}, ""},
		"no table": {nil, func(s *Service) (o *Order, err error) {
			o, _, err = s.CreatePayment(t.Context(), euros(direct))
			return o, err
		}, CodeNoRoute},
		"the provider's form": {list.Table, func(s *Service) (o *Order, err error) {
			o, _, err = s.CreatePayment(t.Context(), euros())
			return o, err
		}, CodeNoRoute},
		"a phone": {list.Table, func(s *Service) (o *Order, err error) {
			o, _, err = s.Payout(t.Context(), phonePayout())
			return o, err
		}, CodeNoRoute},
	} {
		_, service, _ := underRules(t, oneRule(when, `{"accounts": ["spare"]}`))
		rules, err := service.RoutingRules(t.Context(), uuid.Nil)
		require.NoError(t, err)
		rules.BINs = c.bins
		service.RoutingRules = func(context.Context, uuid.UUID) (*RoutingRules, error) { return rules, nil }
		o, err := c.make(service)
		require.Equal(t, c.code, CodeOf(err), "%s: %v", name, err)
		if c.code == "" {
			require.Equal(t, "spare", o.AccountName, name)
			rules.BINs = nil
			require.Equal(t, "GB", decided(t, service, o).Facts.CardCountry, name)
		}
	}
}

func TestAPreviewSendsAndStoresNothing(t *testing.T) {
	t.Parallel()
	s, service, providers := underRules(t, oneRule(`{}`, `{"accounts": ["spare", "second"]}`))
	s.accounts = append(s.accounts, Account{ID: uuid.New(), Name: "dollars", Provider: "first", Currency: "USD", Purpose: PurposeAny, Priority: 3})
	providers["spare"].HeldBackFunc = func(gateway.Ref) time.Duration { return time.Second }
	p, err := service.PreviewPayment(t.Context(), euros())
	require.NoError(t, err)
	require.Equal(t, "second", p.Account.Name)
	require.Equal(t, "rule", p.Rule)
	var got []string
	for _, c := range p.Candidates {
		got = append(got, c.Account.Name+" "+string(c.Reason))
	}
	require.Equal(t, []string{"spare circuit_open", "second ", "first not_routed", "dollars currency"}, got)

	providers["second"].HeldBackFunc = providers["spare"].HeldBackFunc
	_, err = service.PreviewPayment(t.Context(), euros())
	require.Equal(t, CodeProviderFailed, CodeOf(err))
	providers["spare"].HeldBackFunc = nil
	providers["spare"].CheckFunc = func(gateway.Request) []gateway.FieldError {
		return []gateway.FieldError{{Field: "description", Message: "is needed"}}
	}
	_, err = service.PreviewPayment(t.Context(), euros())
	require.Equal(t, CodeMissingFields, CodeOf(err), "as the payment itself")

	service.RoutingRules = func(context.Context, uuid.UUID) (*RoutingRules, error) { return nil, nil } //nolint:nilnil // none
	p, err = service.PreviewPayment(t.Context(), euros())
	require.NoError(t, err)
	require.Equal(t, "first", p.Account.Name)
	require.Empty(t, p.Rule)
	_, err = service.PreviewPayment(t.Context(), euros(func(in *NewPayment) { in.Account = "second" }))
	require.Equal(t, CodeProviderFailed, CodeOf(err), "a named account is held back")
	require.Empty(t, s.orders)
	for name, fake := range providers {
		require.Empty(t, fake.Calls(), name)
	}
}

// A preview refuses a mandate's schedule as the payment itself does, by the names of the request.
func TestAPreviewRefusesWhatAMandateCannotHave(t *testing.T) {
	t.Parallel()
	fake := &gatewaytest.Fake{Plain: true}
	_, service := newShop(fake)
	in := euros(func(in *NewPayment) {
		in.MandateNamed, in.Mandate.Schedule = true, &MandateSchedule{Every: EveryMonth, Interval: 1}
		in.Recurring = gateway.Recurring{Enabled: true, ExpiresAt: service.Now().Add(-time.Hour)}
	})
	_, _, want := service.CreatePayment(t.Context(), in)
	require.Equal(t, CodeInvalid, CodeOf(want))
	fields := fieldsOf(want)
	require.Len(t, fields, 2)
	require.Equal(t, []string{"mandate.expires_at", "mandate.schedule"}, []string{fields[0].Field, fields[1].Field})
	_, err := service.PreviewPayment(t.Context(), in)
	require.Equal(t, want, err)
	require.Empty(t, fake.Calls())
}

// A preview passes an account over whose limit would refuse the payment, as the payment itself does.
func TestAPreviewPassesOverWhatALimitRefuses(t *testing.T) {
	t.Parallel()
	s, service, providers := underRules(t, oneRule(`{}`, `{"accounts": ["spare", "first", "second"]}`))
	limited := func(names ...string) {
		clear(s.failures)
		for _, a := range s.accounts {
			for _, name := range names {
				if a.Name == name {
					s.failures["CheckLimits "+name] = LimitExceeded([]LimitHit{{Limit: Limit{Scope: LimitAccount, ObjectID: a.ID.String(), Kind: gateway.KindPayment, Rule: LimitOrder, Amount: 1, Currency: "EUR"}}})
				}
			}
		}
	}
	previews := func() (account string, reasons []string) {
		t.Helper()
		p, err := service.PreviewPayment(t.Context(), euros())
		require.NoError(t, err)
		for _, c := range p.Candidates {
			reasons = append(reasons, c.Account.Name+" "+string(c.Reason))
		}
		return p.Account.Name, reasons
	}
	limited("spare")
	account, reasons := previews()
	require.Equal(t, "first", account)
	require.Equal(t, []string{"spare limit", "first ", "second "}, reasons)

	providers["first"].HeldBackFunc = func(gateway.Ref) time.Duration { return time.Second }
	account, reasons = previews()
	require.Equal(t, "second", account)
	require.Equal(t, []string{"spare limit", "first circuit_open", "second "}, reasons)

	limited("spare", "second")
	_, err := service.PreviewPayment(t.Context(), euros())
	require.Equal(t, CodeLimitExceeded, CodeOf(err))
	require.Equal(t, s.accounts[2].ID.String(), err.(*Error).Limit.ObjectID, "the limit of the first") //nolint:errorlint,forcetypeassert // it is one

	s.failures["CheckLimits spare"] = LimitExceeded([]LimitHit{{Limit: Limit{Scope: LimitShop, Kind: gateway.KindPayment, Rule: LimitOrder, Amount: 1, Currency: "EUR"}}})
	_, err = service.PreviewPayment(t.Context(), euros())
	require.Equal(t, CodeLimitExceeded, CodeOf(err), "a limit of the shop counts everywhere")
}

// A rule may pass over an account whose provider needs more than the request has. Without that a forgotten field moves nothing.
func TestARuleMayPassOverWhatIsIncomplete(t *testing.T) {
	t.Parallel()
	incomplete := func(gateway.Request) []gateway.FieldError {
		return []gateway.FieldError{{Field: "description", Message: "is needed"}}
	}
	for name, c := range map[string]struct {
		then       string
		incomplete []string
		want       string
	}{
		"it may":        {`{"accounts": ["spare", "second", "first"], "skip_incomplete": true}`, []string{"spare", "second"}, "first"},
		"it may not":    {`{"accounts": ["spare", "first"]}`, []string{"spare"}, ""},
		"none takes it": {`{"accounts": ["spare", "first"], "skip_incomplete": true}`, []string{"spare", "first"}, ""},
	} {
		s, service, providers := underRules(t, oneRule(`{}`, c.then))
		for _, account := range c.incomplete {
			providers[account].CheckFunc = incomplete
		}
		in := euros()
		preview, previewErr := service.PreviewPayment(t.Context(), in)
		o, _, err := service.CreatePayment(t.Context(), in)
		require.Equal(t, CodeOf(err), CodeOf(previewErr), name)
		if c.want == "" {
			require.Equal(t, CodeMissingFields, CodeOf(err), name)
			require.Empty(t, s.orders, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.want, o.AccountName, name)
		require.Equal(t, c.want, preview.Account.Name, name)
		d := decided(t, service, o)
		for i, account := range c.incomplete {
			require.Equal(t, routing.Candidate{Account: account, Reason: routing.Incomplete}, d.Candidates[i], name)
			require.Equal(t, routing.Incomplete, preview.Candidates[i].Reason, name)
		}
	}
}
