package e2e

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
	"payrelay/internal/gateway/uapay"
	"payrelay/internal/money"
	simulator "payrelay/internal/sandbox/uapay"
	"payrelay/internal/store/storetest"
)

// An operator says who takes an account's direct payments.
func TestTheDirectEngineIsASettingOfTheAccount(t *testing.T) {
	t.Parallel()
	_, keyset, _ := command(nil, "keyset", "new")
	environ := []string{"DATABASE_URL=" + storetest.URL(t), "SECRET_KEYSET=" + strings.TrimSpace(keyset)}
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("qwerty"), 0o600))
	for engine, want := range map[string]int{"c2a": 0, "invoice": 0, "telegraph": 1} {
		code, _, text := command(environ, "account", "create", "UAH-"+engine, "--provider", "uapay", "--currency", "UAH", "--client-id", "1", "--secret-file", secret, "--direct-engine", engine)
		require.Equal(t, want, code, "%s: %s", engine, text)
	}
	_, list, _ := command(environ, "account", "list", "--json")
	require.Contains(t, list, `"direct_engine":"c2a"`)
}

// Card numbers at UAPAY, for an account that may handle them: paid, refused, led through a code and 3-D Secure, refunded.
func TestCardNumbersAtUAPAY(t *testing.T) {
	t.Parallel()
	merchant := simulator.DefaultMerchants()[0]
	tw, err := simulator.New(simulator.Config{Log: zerolog.Nop()})
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = tw.Run(t.Context())
	}()
	t.Cleanup(func() { <-ended })
	srv := httptest.NewServer(tw.Handler())
	t.Cleanup(srv.Close)
	client := transport.New(transport.Config{Provider: uapay.Name, Log: zerolog.Nop(), Registerer: prometheus.NewRegistry()})
	t.Cleanup(client.CloseIdleConnections)
	g, err := uapay.New(client).Open(gateway.Account{
		ID: "a", Name: "UAH", Currency: "UAH", Secrets: map[string]gateway.Secret{"secret": gateway.Secret(merchant.Key)},
		Settings: map[string]string{"client_id": merchant.ClientID, "api_url": srv.URL, "direct_engine": "c2a"},
	})
	require.NoError(t, err)
	pay := func(id, number string) (gateway.Ref, gateway.Result) {
		pan, err := card.ParsePAN(number)
		require.NoError(t, err)
		cvc, err := card.ParseCVC("917")
		require.NoError(t, err)
		ref := gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpSale, OrderID: id, Amount: money.New(10000, "UAH")}
		result, err := g.CreatePayment(t.Context(), gateway.PaymentRequest{
			Ref: ref, Flow: gateway.FlowDirect, Description: "Socks", Browser: &gateway.Browser{}, ReturnURLs: gateway.ReturnURLs{Status: "https://shop.example/back"},
			Method: gateway.PaymentMethod{Card: &card.Card{Number: pan, CVC: cvc, Expiry: card.Expiry{Month: 3, Year: 2031}}},
		})
		require.NoError(t, err)
		ref.State, ref.ProviderReference = result.State, result.ProviderReference
		return ref, result
	}
	ends := func(ref gateway.Ref, status gateway.Status) gateway.Result {
		var result gateway.Result
		eventually(t, func() bool {
			result, err = g.Fetch(t.Context(), ref)
			return err == nil && result.Status == status
		}, "%s: %+v, %v", ref.OrderID, result, err)
		return result
	}
	paid, _ := pay("c2a-1", uahSuccess)
	ends(paid, gateway.StatusSucceeded)
	refused, _ := pay("c2a-2", uahReject)
	ends(refused, gateway.StatusFailed)

	asked, _ := pay("c2a-3", uahLookup)
	waiting := ends(asked, gateway.StatusRequiresAction)
	require.Equal(t, gateway.ActionConfirmCode, waiting.NextAction.Type)
	for k, v := range waiting.State {
		asked.State[k] = v
	}
	wrong, err := g.(gateway.CodeConfirmer).ConfirmCode(t.Context(), asked, "000000")
	require.NoError(t, err)
	require.Equal(t, 2, *wrong.NextAction.AttemptsLeft)
	_, err = g.(gateway.CodeConfirmer).ConfirmCode(t.Context(), asked, "123456")
	require.NoError(t, err)
	ends(asked, gateway.StatusSucceeded)

	challenged, _ := pay("c2a-4", uahChallenge)
	form := ends(challenged, gateway.StatusRequiresAction)
	require.Equal(t, gateway.ActionPostForm, form.NextAction.Type)
	require.NotEmpty(t, form.NextAction.Fields["PaReq"])

	refund := gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, OrderID: "c2a-5", Amount: paid.Amount, Parent: &paid}
	_, err = g.(gateway.Refunder).Refund(t.Context(), gateway.RefundRequest{Refund: refund, Payment: paid})
	require.NoError(t, err)
	ends(refund, gateway.StatusSucceeded)
	back := ends(paid, gateway.StatusSucceeded)
	require.EqualValues(t, 10000, *back.Refunded)
	_, err = g.(gateway.Refunder).Refund(t.Context(), gateway.RefundRequest{Refund: refund, Payment: paid})
	require.Error(t, err, "not twice")
}
