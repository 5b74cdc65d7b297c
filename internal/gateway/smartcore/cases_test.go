package smartcore

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
)

// cases holds the documented examples and vectors.
type cases struct {
	Dictionary []struct{ Code, Category, Retry string } `json:"error_dictionary"`
	Examples   []example                                `json:"examples"`
	Vectors    []vector                                 `json:"vectors"`
}

type example struct {
	ID, Operation, Method, URL string
	HostRole                   string `json:"host_role"`
	Request                    map[string]any
	Responses                  []struct {
		Kind string
		Body json.RawMessage
	}
}

type vector struct {
	Name, Body, Secret, Sign, Disposition, Rule string
	StringToSign                                string `json:"string_to_sign"`
	HMACOK                                      bool   `json:"hmac_ok"`
	GenuineBody                                 string `json:"genuine_body"`
}

func loadCases(t testing.TB) cases {
	t.Helper()
	data, err := os.ReadFile("testdata/cases.json")
	require.NoError(t, err)
	var c cases
	require.NoError(t, json.Unmarshal(data, &c))
	return c
}

func testClient(t testing.TB) *transport.Client {
	client := transport.New(transport.Config{Provider: Name, Log: zerolog.Nop(), Registerer: prometheus.NewRegistry(), BreakerFailures: 1000})
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// account is one whose every host is url.
func account(url string) gateway.Account {
	a := gateway.Account{
		ID: "a1", Name: "EUR-sandbox", Currency: "EUR",
		Secrets: map[string]gateway.Secret{"merchant_key": "test", "secret": "qwerty"},
	}
	if url != "" {
		a.Settings = map[string]string{"pci_url": url, "gateway_url": url, "reporting_url": url}
	}
	return a
}

func open(t testing.TB, a gateway.Account) *Gateway {
	t.Helper()
	gw, err := New(testClient(t)).Open(a)
	require.NoError(t, err)
	return gw.(*Gateway)
}

func rawCallback(body string) gateway.RawCallback {
	return gateway.RawCallback{Method: "POST", ContentType: "application/x-www-form-urlencoded", Body: []byte(body)}
}

func withCallbackSecret(secret string) gateway.Account {
	a := account("")
	a.Secrets["callback_secret"] = gateway.Secret(secret)
	return a
}
