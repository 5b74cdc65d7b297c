package payment

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/routing"
)

func TestWhatACallSaysAboutItsAccount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want CallOutcome // "" for nothing
	}{
		"answered":                           {nil, CallAnswered},
		"no answer":                          {&gateway.Error{Kind: gateway.KindUnknown}, CallUnknown},
		"an error that nobody knows":         {errors.New("eof"), CallUnknown},
		"no connection":                      {&gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}, CallNotSent},
		"the first of two steps failed":      {&gateway.Error{Kind: gateway.KindDeclined, Code: gateway.CodeUnanswered}, CallNotSent},
		"the account's secrets are refused":  {&gateway.Error{Kind: gateway.KindCredentials}, CallNotSent},
		"declined":                           {&gateway.Error{Kind: gateway.KindDeclined, Code: "LIMIT"}, CallAnswered},
		"a duplicate":                        {&gateway.Error{Kind: gateway.KindDuplicate}, CallAnswered},
		"too late to be sent":                {&gateway.Error{Kind: gateway.KindNotSent, Code: codeTooLate}, ""},
		"our clock is wrong":                 {&gateway.Error{Kind: gateway.KindDeclined, Code: gateway.CodeClock}, ""},
		"the request cannot be made":         {&gateway.Error{Kind: gateway.KindInvalid}, ""},
		"the provider has no such operation": {&gateway.Error{Kind: gateway.KindUnsupported}, ""},
	} {
		outcome, counts := callOutcome(c.err)
		require.Equal(t, c.want, outcome, name)
		require.Equal(t, c.want != "", counts, name)
	}
}

// callsPerMinute are minutes, the newest first, with calls each of which a part failed.
func callsPerMinute(minutes int, calls, failed int64) (list []HealthMinute) {
	for i := range minutes {
		list = append(list, HealthMinute{At: epoch.Add(-time.Duration(i) * time.Minute), Answered: calls - failed, NotSent: failed / 2, Unknown: failed - failed/2})
	}
	return list
}

func TestWhenAnAccountIsDemotedAndRestored(t *testing.T) {
	t.Parallel()
	demoted := func(ago time.Duration) Health { return Health{Demoted: true, ChangedAt: epoch.Add(-ago)} }
	restored := func(ago time.Duration) Health { return Health{ChangedAt: epoch.Add(-ago)} }
	for name, c := range map[string]struct {
		was     Health
		minutes []HealthMinute
		changes bool
	}{
		"more than a fifth of its calls fail":   {Health{}, callsPerMinute(5, 100, 21), true},
		"a fifth is not more":                   {Health{}, callsPerMinute(5, 100, 20), false},
		"too few calls to judge by":             {Health{}, callsPerMinute(1, 49, 49), false},
		"just enough":                           {Health{}, callsPerMinute(1, 50, 50), true},
		"what failed is long ago":               {Health{}, append(callsPerMinute(6, 20, 0), HealthMinute{At: epoch.Add(-6 * time.Minute), Unknown: 1000}), false},
		"it was restored a moment ago":          {restored(4 * time.Minute), callsPerMinute(4, 100, 100), false},
		"it was restored five minutes ago":      {restored(5 * time.Minute), callsPerMinute(5, 100, 100), true},
		"nearly none of its calls fail":         {demoted(5 * time.Minute), callsPerMinute(5, 100, 4), true},
		"a twentieth fails":                     {demoted(5 * time.Minute), callsPerMinute(5, 100, 5), false},
		"it was demoted a moment ago":           {demoted(4 * time.Minute), callsPerMinute(4, 100, 0), false},
		"it has been tried too little":          {demoted(9 * time.Minute), callsPerMinute(9, 1, 0), false},
		"few trials are gathered for longer":    {demoted(10 * time.Minute), callsPerMinute(10, 1, 0), true},
		"of few trials the newest count":        {demoted(20 * time.Minute), append(callsPerMinute(10, 1, 0), HealthMinute{At: epoch.Add(-10 * time.Minute), Unknown: 9}), true},
		"calls before the demotion are no help": {demoted(6 * time.Minute), append(callsPerMinute(6, 1, 0), HealthMinute{At: epoch.Add(-7 * time.Minute), Answered: 9}), false},
		"nobody tries it":                       {demoted(59 * time.Minute), nil, false},
		"nobody tries it for an hour":           {demoted(time.Hour), nil, true},
		"it fails for an hour":                  {demoted(time.Hour), callsPerMinute(60, 10, 5), false},
	} {
		next, changes := c.was.Judge(c.minutes, epoch)
		require.Equal(t, c.changes, changes, name)
		if changes {
			require.Equal(t, !c.was.Demoted, next.Demoted, name)
			require.Equal(t, epoch, next.ChangedAt, name)
		}
	}
	next, _ := Health{}.Judge(callsPerMinute(3, 100, 30), epoch)
	require.Equal(t, Health{Demoted: true, ChangedAt: epoch, Calls: 300, Failed: 90}, next)
}

// referenceThat is a reference that draws the account for a trial, or does not.
func referenceThat(service *Service, shop uuid.UUID, tries bool, account string) string {
	for {
		reference := uuid.NewString()
		if routing.Trial(service.stickyKey(shop, "order", reference), account) == tries {
			return reference
		}
	}
}

func demote(s *shopStore, name string) {
	i := slices.IndexFunc(s.accounts, func(a Account) bool { return a.Name == name })
	s.accounts[i].Demoted = true
}

// A demoted account is tried last, also by what rules chose, and stays first for the few orders that try it out. A request that names it
// goes there.
func TestADemotedAccountIsTriedLast(t *testing.T) {
	t.Parallel()
	dead := func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}
	}
	for name, rules := range map[string]string{"by priority": "", "by rules": oneRule(`{}`, `{"accounts": ["first", "second"]}`)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, service, providers := threeAccounts()
			service.FingerprintKey = []byte("key")
			if rules != "" {
				s, service, providers = underRules(t, rules)
			}
			demote(s, "first")
			pay := func(tries bool, account string) *Order {
				t.Helper()
				in := euros(func(in *NewPayment) {
					in.Reference, in.Account = referenceThat(service, in.Shop, tries, "first"), account
				})
				preview, err := service.PreviewPayment(t.Context(), in)
				require.NoError(t, err)
				o, _, err := service.CreatePayment(t.Context(), in)
				require.NoError(t, err)
				if len(s.ended) == 0 {
					require.Equal(t, o.AccountName, preview.Account.Name)
					for _, c := range preview.Candidates {
						require.Equal(t, account == "" && !tries && c.Account.Name == "first", c.Reason == routing.Unhealthy, "%+v", preview.Candidates)
					}
				}
				if rules != "" && account == "" {
					d := decided(t, service, o)
					require.Equal(t, tries, d.Tries("first"))
				}
				return o
			}
			require.Equal(t, "second", pay(false, "").AccountName)
			require.Equal(t, "first", pay(true, "").AccountName)
			require.Equal(t, "first", pay(false, "first").AccountName)

			providers["second"].CreatePaymentFunc = dead
			require.Equal(t, "first", pay(false, "").AccountName, "it is put last, not out")
		})
	}
}

// Every call that may move money is counted for the account that it went to.
func TestCallsAreCountedForTheirAccount(t *testing.T) {
	t.Parallel()
	s, service, providers := threeAccounts()
	counted := map[string][]CallOutcome{}
	service.Called = func(id uuid.UUID, outcome CallOutcome) {
		i := slices.IndexFunc(s.accounts, func(a Account) bool { return a.ID == id })
		counted[s.accounts[i].Name] = append(counted[s.accounts[i].Name], outcome)
	}
	providers["first"].CreatePaymentFunc = func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Code: "dial"}
	}
	_, _, err := service.CreatePayment(t.Context(), euros())
	require.NoError(t, err)
	require.Equal(t, map[string][]CallOutcome{"first": {CallNotSent}, "second": {CallAnswered}}, counted)
}
