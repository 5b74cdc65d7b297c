package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/recipe"
)

const secret = "whsec_c2NlbmFyaW8tdGVzdC1zZWNyZXQ="

// made is a world in which an order of 1000 was paid, and all three records agree. change spoils one of them.
type made struct {
	captured, final, asked int
	notified               []int // sequences
	lastStatus             string
	signedBy               string
}

func (m made) world(t *testing.T) *World {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/orders/one", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"id":"one","kind":"payment","status":"succeeded","reference":"one","origin":"request","amount":1000,"amount_captured":%d,"provider_order_id":"pr-one","currency":"EUR","sequence":3}`, m.captured)
	})
	mux.HandleFunc("GET /smartcore/control/orders/pr-one", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"status":2,"stage":"done","final_amount":%d}`, m.final)
	})
	mux.HandleFunc("GET /smartcore/control/requests", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"requests":[%s]}`, strings.TrimSuffix(strings.Repeat(`{"endpoint":"initPayment"},`, m.asked), ","))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	shop := NewReceiver()
	require.NoError(t, shop.Verify(secret))
	signer, err := standardwebhooks.NewWebhook(m.signedBy)
	require.NoError(t, err)
	for _, sequence := range m.notified {
		body, err := json.Marshal(map[string]any{"type": "payment.x", "sequence": sequence, "order": map[string]any{"id": "one", "status": m.lastStatus}})
		require.NoError(t, err)
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		now := time.Now()
		signature, err := signer.Sign("id", now, body)
		require.NoError(t, err)
		req.Header.Set(standardwebhooks.HeaderWebhookID, "id")
		req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(now.Unix()))
		req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
		shop.ServeHTTP(httptest.NewRecorder(), req)
	}
	return &World{API: server.URL, Simulators: server.URL, Shop: shop, WaitFor: 300 * time.Millisecond}
}

func TestEachRecordCanBeWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*made)
		wrong string
	}{
		"nothing":               {func(*made) {}, ""},
		"the API":               {func(m *made) { m.captured = 999 }, "the API says 999 taken"},
		"the provider":          {func(m *made) { m.final = 0 }, "the provider 0"},
		"two calls":             {func(m *made) { m.asked = 2 }, "number of calls that asked the provider for one is 2 and must be 1"},
		"a gap":                 {func(m *made) { m.notified = []int{3} }, "number 2 of 3 is missing"},
		"one too many":          {func(m *made) { m.notified = []int{2, 3, 4} }, "3 came, the order has 3 steps"},
		"another status":        {func(m *made) { m.lastStatus = "failed" }, "is failed and must be succeeded"},
		"an unknown signature":  {func(m *made) { m.signedBy = "whsec_YW5vdGhlciBzZWNyZXQ=" }, "a signature that does not hold"},
		"a scenario of its own": {nil, "the sum is 1 and must be 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := made{captured: 1000, final: 1000, asked: 1, notified: []int{2, 3, 3}, lastStatus: "succeeded", signedBy: secret}
			s := Scenario{Name: name, run: func(r *run) { r.orders = []string{"one"} }}
			if c.spoil != nil {
				c.spoil(&m)
			} else {
				s.run = func(r *run) { equal(r, "the sum", 1, 2) }
			}
			var got []Result
			Run(t.Context(), m.world(t), []Scenario{s}, func(r Result) { got = append(got, r) })
			require.Len(t, got, 1)
			require.Equal(t, name, got[0].Name)
			if c.wrong == "" {
				require.Empty(t, got[0].Wrong)
				return
			}
			require.Contains(t, got[0].Wrong, c.wrong)
		})
	}
}

func TestTheScenarios(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range All() {
		require.False(t, seen[s.Name], s.Name)
		seen[s.Name] = true
	}
	require.GreaterOrEqual(t, len(seen), 40)
	require.Len(t, recipes, len(recipe.All))
	for _, r := range recipe.All {
		require.NotNil(t, recipes[r.Name], r.Name)
	}
}
