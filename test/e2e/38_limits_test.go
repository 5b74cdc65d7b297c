package e2e

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// limitOf is what an answer tells of a limit.
type limitOf struct {
	Scope, Rule, Currency string
	Amount                *int64
	FreeAt                *string `json:"free_at"`
}

// beyond sends a request that goes beyond a limit, and returns which.
func (d *dev) beyond(path, body string) limitOf {
	d.t.Helper()
	res, raw := d.raw(http.MethodPost, path, body, nil)
	require.Equal(d.t, http.StatusUnprocessableEntity, res.StatusCode, "%s", raw)
	var doc struct {
		Code  string
		Limit *limitOf
	}
	require.NoError(d.t, json.Unmarshal(raw, &doc))
	require.Equal(d.t, "limit_exceeded", doc.Code)
	require.NotNil(d.t, doc.Limit, "%s", raw)
	return *doc.Limit
}

// An operator watches a limit first, and enforces it then.
func TestALimitIsWatchedAndThenEnforced(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	set := func(mode, rule string, more ...string) {
		d.operator(append([]string{"limit", "set", "--shop", "demo", "--kind", "payment", "--rule", rule, "--currency", "EUR", "--mode", mode, "--reason", "a test"}, more...)...)
	}
	set("observe", "day", "--amount", "1500", "--orders", "10")
	d.paid("limited-1", 1000, "")
	d.paid("limited-2", 1000, "")
	_, metrics := d.adminGet("/metrics")
	require.Contains(t, metrics, `payrelay_limit_hits_total{kind="payment",mode="observe",rule="day",scope="shop"} 1`)

	set("enforce", "day", "--amount", "2500", "--orders", "10")
	body := func(reference string, amount int64) string {
		return direct(reference, amount, cardMethod(cardSuccess), "")
	}
	hit := d.beyond("/v1/payments", body("limited-3", 501))
	require.Equal(t, []any{"shop", "day", "EUR", int64(2500)}, []any{hit.Scope, hit.Rule, hit.Currency, *hit.Amount})
	require.NotNil(t, hit.FreeAt)
	d.paid("limited-3", 500, "")
	d.makes("/v1/payments", body("limited-1", 1000), http.StatusOK)

	set("enforce", "order", "--amount", "100")
	require.Nil(t, d.beyond("/v1/payments", body("limited-4", 101)).FreeAt)
	require.Contains(t, d.operator("limit", "list"), "2500")
	d.refuses("/v1/payments/preview", body("limited-4", 101), http.StatusUnprocessableEntity, "limit_exceeded")
	d.operator("limit", "remove", "--shop", "demo", "--kind", "payment", "--rule", "order", "--currency", "EUR")
	d.operator("limit", "remove", "--shop", "demo", "--kind", "payment", "--rule", "day", "--currency", "EUR")
	d.paid("limited-4", 101, "")
	require.Contains(t, d.operator("audit", "list", "--action", "limit"), "limit remove")
}

// Many payouts at once never exceed a limit of all shops together.
func TestManyPayoutsAtOnceKeepTheLimit(t *testing.T) {
	t.Parallel()
	d := startDev(t, allConnections)
	d.operator("limit", "set", "--global", "--kind", "payout", "--rule", "day", "--currency", "EUR", "--amount", "1000", "--mode", "enforce")
	var made, refused atomic.Int32
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			res, _ := d.raw(http.MethodPost, "/v1/payouts", payout("many-"+strconv.Itoa(i), 100, payoutTo(cardSuccess)), nil)
			switch res.StatusCode {
			case http.StatusCreated:
				made.Add(1)
			case http.StatusUnprocessableEntity:
				refused.Add(1)
			}
		})
	}
	all.Wait()
	require.Equal(t, []int32{10, 30}, []int32{made.Load(), refused.Load()})
}

// A second payout to the same destination, and a second refund of the same sum, are asked about.
func TestWhatLooksLikeADuplicateIsAskedAbout(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for _, kind := range []string{"payout", "refund"} {
		d.operator("limit", "set", "--shop", "demo", "--kind", kind, "--rule", "duplicate", "--mode", "enforce", "--reason", "a test")
	}
	allowed := func(body string) string { return strings.TrimSuffix(body, "}") + `,"allow_duplicate":true}` }
	first := d.makes("/v1/payouts", payout("dup-1", 700, payoutTo(cardSuccess)), http.StatusCreated)
	d.ends(first.ID, "succeeded")
	_, raw := d.raw(http.MethodPost, "/v1/payouts", payout("dup-2", 700, payoutTo(cardSuccess)), nil)
	require.Contains(t, string(raw), `"possible_duplicate"`)
	require.Contains(t, string(raw), `"duplicate_of":"`+first.ID+`"`)
	d.makes("/v1/payouts", payout("dup-1", 700, payoutTo(cardSuccess)), http.StatusOK)
	d.makes("/v1/payouts", payout("dup-3", 701, payoutTo(cardSuccess)), http.StatusCreated)
	d.makes("/v1/payouts", payout("dup-4", 700, `{"type":"phone","phone":"+79123456789"}`), http.StatusCreated)
	d.makes("/v1/payouts", allowed(payout("dup-2", 700, payoutTo(cardSuccess))), http.StatusCreated)
	declined := d.makes("/v1/payouts", payout("dup-5", 700, payoutTo(cardOther)), http.StatusCreated)
	d.ends(declined.ID, "failed")
	d.makes("/v1/payouts", payout("dup-6", 700, payoutTo(cardOther)), http.StatusCreated)

	paid := d.paid("dup-paid", 1000, "")
	d.refunded(paid, "dup-back-1", 200)
	d.refuses(refundsOf(paid), refund("dup-back-2", 200), http.StatusConflict, "possible_duplicate")
	d.makes(refundsOf(paid), allowed(refund("dup-back-2", 200)), http.StatusCreated)
	require.Zero(t, d.textsHolding(cardSuccess))
}

// A payout above the sum is sent after an operator's release, and not before.
func TestALargePayoutWaitsForAnOperator(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.operator("limit", "set", "--shop", "demo", "--kind", "payout", "--rule", "approval", "--currency", "EUR", "--amount", "1000", "--mode", "enforce", "--reason", "a test")
	before := d.balance()
	d.makes("/v1/payouts", payout("small", 1000, payoutTo(cardSuccess)), http.StatusCreated)
	body := payout("large", 1001, payoutTo(cardSuccess))
	header := http.Header{"Idempotency-Key": {"large"}}
	waits := func(code string) string {
		_, raw := d.raw(http.MethodPost, "/v1/payouts", body, header)
		var doc struct {
			Code     string
			Approval struct{ ID, State string }
		}
		require.NoError(t, json.Unmarshal(raw, &doc))
		require.Equal(t, code, doc.Code, "%s", raw)
		return doc.Approval.ID
	}
	id := waits("approval_pending")
	require.Equal(t, id, waits("approval_pending"))
	list := d.operator("payout", "list")
	require.Contains(t, list, id)
	require.Contains(t, list, "401200******3010")
	require.Zero(t, d.textsHolding(cardSuccess))
	d.operator("payout", "release", id, "--reason", "the customer called")
	res, raw := d.raw(http.MethodPost, "/v1/payouts", body, header)
	require.Equal(t, http.StatusCreated, res.StatusCode, "%s", raw)
	var made full
	require.NoError(t, json.Unmarshal(raw, &made))
	d.ends(made.ID, "succeeded")
	require.Equal(t, before-2001, d.balance())
	require.Equal(t, 1, d.sent(made.ProviderOrderID, "withdrawal/init"))

	body, header = payout("rejected", 1001, payoutTo(cardSuccess)), nil
	d.operator("payout", "reject", waits("approval_pending"), "--reason", "nobody knows of it")
	waits("approval_rejected")
}

// Whoever tries cards out is slowed down and then stopped, and an operator ends it.
func TestTryingCardsOutIsStopped(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	body := func(reference, card string) string { return direct(reference, 1000, cardMethod(card), "") }
	tries := func(reference string) {
		o := d.makes("/v1/payments", body(reference, cardOther), http.StatusCreated)
		d.ends(o.ID, "failed")
	}
	d.operator("limit", "set", "--shop", "demo", "--kind", "payment", "--rule", "card_declines", "--orders", "2", "--mode", "enforce")
	d.operator("limit", "set", "--shop", "demo", "--kind", "payment", "--rule", "pause", "--orders", "3", "--mode", "enforce")
	tries("try-1")
	tries("try-2")
	d.refuses("/v1/payments", body("try-3", cardOther), http.StatusTooManyRequests, "velocity_exceeded")
	d.paid("another-card", 1000, "")
	d.operator("limit", "remove", "--shop", "demo", "--kind", "payment", "--rule", "card_declines")
	tries("try-3")
	d.refuses("/v1/payments", body("paused-1", cardSuccess), http.StatusForbidden, "card_payments_paused")
	d.create("form-1")
	d.heard()
	_, metrics := d.adminGet("/metrics")
	require.Contains(t, metrics, "payrelay_card_payments_paused 1")
	require.Contains(t, d.operator("limit", "list"), "Direct card payments of demo are paused")
	d.operator("limit", "resume", "demo", "--reason", "a test")
	d.paid("resumed", 1000, "")
	require.Zero(t, d.textsHolding(cardOther))
}
