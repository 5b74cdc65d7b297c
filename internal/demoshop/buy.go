package demoshop

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// currency is the one the shop sells in.
const currency = "EUR"

// order is the part of payrelay's order that the shop reads, or of its problem document.
type order struct {
	ID         string `json:"id"`
	Status     string `json:"status"`
	NextAction *struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"next_action"`
	Failure *struct {
		Message string `json:"message"`
	} `json:"failure"`

	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

// buy starts a payment and sends the browser on.
func (s *Shop) buy(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	amount := r.PostFormValue("amount")
	minor, err := parseAmount(amount)
	if err != nil {
		s.renderHome(w, r, http.StatusUnprocessableEntity, page{Amount: amount, Problem: "Please enter an amount such as 10.00."})
		return
	}
	status, o, err := s.createPayment(r.Context(), minor)
	switch {
	case err != nil:
		s.cfg.Log.Warn().Msg("demo shop: payrelay could not be asked")
		s.renderHome(w, r, http.StatusBadGateway, page{Amount: amount, Problem: "payrelay gave no answer. If the payment was started all the same, it will appear below."})
	case status >= 400:
		s.renderHome(w, r, http.StatusBadGateway, page{Amount: amount, Problem: "payrelay refused the payment:", Detail: o.problem(status)})
	case o.NextAction != nil && o.NextAction.Type == "redirect" && isWeb(o.NextAction.URL):
		http.Redirect(w, r, o.NextAction.URL, http.StatusSeeOther)
	default: // refused at once, or its outcome is not known yet: its page shows what comes
		http.Redirect(w, r, "/orders/"+url.PathEscape(o.ID), http.StatusSeeOther)
	}
}

func (s *Shop) createPayment(ctx context.Context, minor int64) (status int, o order, err error) {
	reference := "demo-" + strings.ToLower(rand.Text()[:16])
	back := s.cfg.PublicURL + "/return?reference=" + reference + "&outcome="
	body, err := json.Marshal(map[string]any{
		"reference":   reference,
		"amount":      minor,
		"currency":    currency,
		"description": "A coffee in the demo shop",
		"customer": map[string]any{
			"first_name": "Ada", "last_name": "Example", "email": "ada@example.com", "phone": "+34600000000", "ip": "203.0.113.7",
			"address": map[string]string{"line": "1 Example Street", "city": "Madrid", "postal_code": "28001", "country": "ES"},
		},
		"return_urls": map[string]string{"success": back + "success", "fail": back + "fail"},
	})
	if err != nil {
		return 0, order{}, fmt.Errorf("write payment: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.APIURL+"/v1/payments", bytes.NewReader(body))
	if err != nil {
		return 0, order{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.cfg.APIKey)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, order{}, fmt.Errorf("create payment: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&o); err != nil {
		return 0, order{}, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode < 400 && o.ID == "" {
		return 0, order{}, fmt.Errorf("read answer: no order in it")
	}
	return resp.StatusCode, o, nil
}

// problem says in one line what payrelay found wrong.
func (o order) problem(status int) string {
	parts := []string{o.Title}
	if o.Detail != "" && o.Detail != o.Title {
		parts = append(parts, o.Detail)
	}
	for _, e := range o.Errors {
		parts = append(parts, e.Field+" "+e.Message)
	}
	if text := strings.Trim(strings.Join(parts, "; "), "; "); text != "" {
		return text
	}
	return http.StatusText(status)
}

func isWeb(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
