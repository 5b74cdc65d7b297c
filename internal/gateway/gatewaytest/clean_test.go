package gatewaytest

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
)

// The digits of a card's code are found wherever they are written down, but not in a port or a duration.
func TestDigitsThatComeAboutByChanceAreNoLeak(t *testing.T) {
	t.Parallel()
	const code = "9173"
	for _, clean := range []any{
		`{"host":"127.0.0.1:49173","duration_ms":0.9173,"request_bytes":12}`,
		&gateway.Error{Kind: gateway.KindNotSent, Op: "create", Err: fmt.Errorf("dial tcp 127.0.0.1:49173->127.0.0.1:39173: refused")},
	} {
		require.NotContains(t, everythingOf(clean), code)
	}
	for _, leak := range []any{
		`{"host":"127.0.0.1:45000","duration_ms":0.5,"cvc":"9173"}`,
		`cvc9173`,
		"http://127.0.0.1:45000/pay?cvc=9173",
		&gateway.Error{Kind: gateway.KindUnknown, Op: "create", ProviderData: gateway.ProviderData{"message": "code 9173"}},
		&gateway.Error{Kind: gateway.KindInvalid, Op: "create", Fields: []gateway.FieldError{{Field: "cvc", Message: "not 9173"}}},
		gateway.Result{ProviderData: gateway.ProviderData{"code": code}},
	} {
		require.Contains(t, everythingOf(leak), code)
	}
}

// A line of the transport's log holds digits by chance in its host and duration alone.
func TestALogLineHoldsNoOtherDigitsByChance(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	client := transport.New(transport.Config{Provider: "any", Registerer: prometheus.NewRegistry(), Timeout: time.Second, Log: zerolog.New(&log)})
	t.Cleanup(client.CloseIdleConnections)
	srv := Subject{}.serve(t, answer(200, "{}"))
	_, err := client.Do(t.Context(), transport.Call{Method: "POST", URL: srv.url, Operation: "create", Class: transport.ClassWrite, Body: []byte("{}")})
	require.NoError(t, err)
	numbers := regexp.MustCompile(`[0-9]+`).FindAllString(everythingOf(log.String()), -1)
	require.NotEmpty(t, numbers)
	for _, n := range numbers {
		require.Contains(t, []string{"200", "2"}, n, log.String()) // the status, and the length of request and answer
	}
}
