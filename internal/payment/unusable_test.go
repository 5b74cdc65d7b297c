package payment

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/routing"
)

// An account that cannot be opened keeps no order from the one beside it, whichever way the order is routed. Only an order that names
// it is refused.
func TestAnAccountThatDoesNotOpenIsPassedOver(t *testing.T) {
	t.Parallel()
	errLost := errors.New("the key is lost")
	for name, rules := range map[string]string{
		"by priority": "", "by a rule": `{"rules": [{"name": "rule", "when": {"kind": ["payment", "payout"]}, "then": {"accounts": ["first", "second"]}}], "otherwise": "refuse"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, service, providers := payers(t, rules)
			providers["first"].OpenFunc = func(gateway.Account) error { return errLost }
			in := euros()

			preview, err := service.PreviewPayment(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, "second", preview.Account.Name)
			require.Contains(t, reasonsOf(preview), "first unusable")
			require.Empty(t, service.Check(t.Context(), in))

			payment, _, err := service.CreatePayment(t.Context(), in)
			require.NoError(t, err)
			payout, _, err := service.Payout(t.Context(), phonePayout())
			require.NoError(t, err)
			for _, o := range []*Order{payment, payout} {
				require.Equal(t, "second", o.AccountName)
				if rules != "" {
					require.Equal(t, routing.Candidate{Account: "first", Reason: routing.Unusable}, decided(t, service, o).Candidates[0])
				}
			}
			require.Empty(t, providers["first"].Calls())

			named := func(in *NewPayment) { in.Account, in.Reference = "first", "named" }
			_, _, err = service.CreatePayment(t.Context(), euros(named))
			require.ErrorIs(t, err, errLost)
			_, err = service.PreviewPayment(t.Context(), euros(named))
			require.ErrorIs(t, err, errLost)

			for _, fake := range providers {
				fake.OpenFunc = providers["first"].OpenFunc
			}
			for i := range s.accounts {
				s.accounts[i].Settings = map[string]string{"changed": "since"}
			}
			_, _, err = service.CreatePayment(t.Context(), euros(func(in *NewPayment) { in.Reference = "none" }))
			require.Error(t, err, "none is left")
			require.Len(t, s.orders, 2)
		})
	}
}

// reasonsOf are a preview's accounts, each with its reason.
func reasonsOf(p *Preview) (all []string) {
	for _, c := range p.Candidates {
		all = append(all, c.Account.Name+" "+string(c.Reason))
	}
	return all
}
