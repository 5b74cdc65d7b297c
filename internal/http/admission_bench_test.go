package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/clientaddr"
	"payrelay/internal/limit"
	"payrelay/internal/shop"
)

// BenchmarkAdmission is what the steps before a body is parsed cost a request: key, scope, rate, encoding, the body's arrival and room
// to work on it. "without" is the same request without them.
func BenchmarkAdmission(b *testing.B) {
	doc, err := Document()
	require.NoError(b, err)
	s := &server{
		Config: Config{
			Auth: &keys{rates: shop.Rates{shop.RateWrites: limit.Rate{Quota: 1_000_000_000, Window: time.Second}}}, Log: zerolog.Nop(), Clients: &clientaddr.Finder{},
			Admission: Admission{Concurrency: 64, Queue: 64, Wait: time.Second},
		},
		operations: operationsOf(doc), metrics: newMetrics(prometheus.NewRegistry()),
	}
	s.failures = &failures{log: s.Log, counted: s.metrics.failures}
	const untilAdmitted = 7 // admit is the last one
	for name, steps := range map[string]chi.Middlewares{"with": s.steps()[:untilAdmitted], "without": nil} {
		b.Run(name, func(b *testing.B) {
			r := chi.NewRouter()
			r.Use(s.observe)
			r.With(steps...).Post("/v1/payments", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
			body := `{"reference":"shop-1015","amount":1000,"currency":"EUR","description":"` + strings.Repeat("x", 400) + `"}`
			b.ReportAllocs()
			for b.Loop() {
				req := httptest.NewRequest(http.MethodPost, "/v1/payments", strings.NewReader(body))
				req.Header.Set("Authorization", "Bearer "+goodKey)
				req.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				if r.ServeHTTP(w, req); w.Code != http.StatusCreated {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
