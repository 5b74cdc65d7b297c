package demoshop

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	maxBody = 256 << 10
	// apiTimeout is longer than payrelay waits for a provider.
	apiTimeout = 45 * time.Second
)

// Config is what the shop needs. All but Elsewhere and Log are required.
type Config struct {
	WebhookSecret string // whsec_…
	APIURL        string // payrelay's address, without /v1
	APIKey        string
	PublicURL     string // where browsers find this shop
	Elsewhere     string // where its notifications go, if not to this shop
	Log           zerolog.Logger
}

// Shop is the demo shop. It is safe for concurrent use.
type Shop struct {
	cfg     Config
	inbox   inbox
	webhook *standardwebhooks.Webhook
	client  *http.Client
	now     func() time.Time
}

// New returns a shop. With a secret that cannot be read it rejects every notification.
func New(cfg Config) *Shop {
	cfg.APIURL, cfg.PublicURL = strings.TrimRight(cfg.APIURL, "/"), strings.TrimRight(cfg.PublicURL, "/")
	s := &Shop{cfg: cfg, client: &http.Client{Timeout: apiTimeout}, now: time.Now}
	if wh, err := standardwebhooks.NewWebhook(cfg.WebhookSecret); err == nil && strings.TrimPrefix(cfg.WebhookSecret, "whsec_") != "" {
		s.webhook = wh
	} else {
		cfg.Log.Error().Msg("demo shop: the webhook secret cannot be read, every notification will be refused")
	}
	return s
}

// Handler returns the shop's pages, its notification address and what tests need.
func (s *Shop) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(secure)
	r.Post("/notifications", s.receive)
	r.Get("/api/notifications", s.listJSON)
	r.Post("/control/fail", s.controlFail)

	r.Get("/", s.home)
	r.Get("/fragment", s.fragment)
	r.Get("/orders/{id}", s.order)
	r.Get("/return", s.comeBack)
	r.With(http.NewCrossOriginProtection().Handler).Post("/buy", s.buy)
	r.Get("/assets/{name}", s.asset)
	return r
}

// receive takes a notification: fault, signature, duplicate, in this order, so that a fault looks like a shop that is
// down.
func (s *Shop) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "body cannot be read", http.StatusBadRequest)
		return
	}
	if status, ok := s.inbox.fault(); ok {
		http.Error(w, "failing because a test asked for it", status)
		return
	}
	if s.webhook == nil || s.webhook.Verify(body, r.Header) != nil {
		s.inbox.reject()
		s.cfg.Log.Warn().Msg("demo shop: notification refused, its signature does not hold")
		http.Error(w, "signature does not hold", http.StatusUnauthorized)
		return
	}
	n, err := decode(r.Header.Get(standardwebhooks.HeaderWebhookID), body, s.now().UTC())
	if err != nil {
		http.Error(w, "body is not a notification", http.StatusBadRequest)
		return
	}
	fresh := s.inbox.add(n)
	s.cfg.Log.Debug().Str("type", n.Type).Int("sequence", n.Sequence).Bool("repeat", !fresh).Msg("demo shop: notification received")
	w.WriteHeader(http.StatusNoContent)
}

func (s *Shop) listJSON(w http.ResponseWriter, _ *http.Request) {
	items, rejected := s.inbox.list(nil)
	writeJSON(w, map[string]any{"data": items, "rejected": rejected})
}

// controlFail makes the next count notifications answer with status.
func (s *Shop) controlFail(w http.ResponseWriter, r *http.Request) {
	var in struct{ Status, Count int }
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	if err := dec.Decode(&in); err != nil || in.Status < 300 || in.Status > 599 || in.Count < 0 {
		http.Error(w, `send {"status":500,"count":3}`, http.StatusBadRequest)
		return
	}
	s.inbox.fail(in.Status, in.Count)
	w.WriteHeader(http.StatusNoContent)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// secure sets the headers that keep a page to itself. A form may lead to any address, because the payment page is
// wherever the provider has it.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// parseAmount reads an amount such as "10", "10.5" or "10,50" into minor units of a currency with two decimals.
func parseAmount(text string) (minor int64, err error) {
	whole, part, _ := strings.Cut(strings.Replace(strings.TrimSpace(text), ",", ".", 1), ".")
	if whole == "" || len(whole) > 6 || len(part) > 2 {
		return 0, errors.New("an amount looks like 10.00")
	}
	for _, c := range whole + part {
		if c < '0' || c > '9' {
			return 0, errors.New("an amount looks like 10.00")
		}
		minor = minor*10 + int64(c-'0')
	}
	for range 2 - len(part) {
		minor *= 10
	}
	if minor == 0 {
		return 0, errors.New("an amount is more than nothing")
	}
	return minor, nil
}
