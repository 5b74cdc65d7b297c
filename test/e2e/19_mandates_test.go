package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
)

// mandate is a mandate as the API answers.
type mandate struct {
	ID           string  `json:"id"`
	Status       string  `json:"status"`
	Driver       string  `json:"driver"`
	Reference    string  `json:"reference"`
	MaxAmount    int64   `json:"max_amount"`
	MinDays      *int    `json:"min_days"`
	MaxCharges   *int    `json:"max_charges"`
	Charges      int     `json:"charges"`
	LastAt       *string `json:"last_charged_at"`
	NextFrom     *string `json:"next_charge_from"`
	OpenChargeID *string `json:"open_charge_id"`
	EndsAt       *string `json:"schedule_ends_at"`
}

func (d *dev) mandate(id string) (m mandate) {
	d.t.Helper()
	require.Equal(d.t, http.StatusOK, d.call(http.MethodGet, "/v1/mandates/"+id, "", &m).StatusCode)
	return m
}

// decides pauses, resumes or revokes a mandate.
func (d *dev) decides(id, what string) (m mandate) {
	d.t.Helper()
	require.Equal(d.t, http.StatusOK, d.call(http.MethodPost, "/v1/mandates/"+id+"/"+what, "", &m).StatusCode)
	return m
}

// hosted is the body of a payment on the provider's form. more is put in front of the customer.
func hosted(reference string, amount int64, more string) string {
	return fmt.Sprintf(`{"reference":%q,"amount":%d,"currency":"EUR","description":"Socks",%s,%s}`, reference, amount, more, customer)
}

// A customer agrees to terms with the first payment, and every charge keeps to them.
func TestAMandateBoundsItsCharges(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	charge := func(reference string, amount int) string {
		return fmt.Sprintf(`{"reference":%q,"amount":%d,"description":"Socks every month"}`, reference, amount)
	}
	p := d.refuses("/v1/payments", hosted("both", 1000, `"mandate":{},"recurring":{"enabled":true}`), http.StatusUnprocessableEntity, "invalid_request")
	require.Equal(t, []string{"recurring"}, p.fields())
	p = d.refuses("/v1/payments", hosted("past", 1000, `"mandate":{"expires_at":"2020-01-01T00:00:00Z"}`), http.StatusUnprocessableEntity, "invalid_request")
	require.Equal(t, []string{"mandate.expires_at"}, p.fields())

	o := d.makes("/v1/payments", hosted("sub", 1000, `"mandate":{"max_amount":700,"min_days":1,"max_charges":2,"expires_at":"2035-01-01T00:00:00Z"}`), http.StatusCreated)
	require.True(t, o.Recurring)
	require.Equal(t, "pending", d.mandate(o.ID).Status)
	charges := "/v1/mandates/" + o.ID + "/charges"
	d.refuses(charges, charge("early", 1), http.StatusConflict, "mandate_not_active")
	d.pay(o.NextAction.URL, cardSuccess, "")
	d.ends(o.ID, "succeeded")
	m := d.mandate(o.ID)
	require.Equal(t, mandate{ID: o.ID, Status: "active", Driver: "on_demand", Reference: "sub", MaxAmount: 700, MinDays: m.MinDays, MaxCharges: m.MaxCharges, NextFrom: m.NextFrom}, m)
	require.NotNil(t, m.NextFrom)

	p = d.refuses(charges, charge("much", 701), http.StatusConflict, "mandate_limit")
	require.Equal(t, []string{"mandate.max_amount"}, p.fields())
	first := d.makes(charges, charge("c-1", 700), http.StatusCreated)
	require.Equal(t, o.ID, *first.ParentID)
	d.ends(first.ID, "succeeded")

	d.settings(map[string]any{"processing_ms": 8000})
	slow := d.makes(charges, charge("c-2", 500), http.StatusCreated)
	require.Equal(t, slow.ID, *d.mandate(o.ID).OpenChargeID)
	d.refuses("/v1/payments/"+o.ID+"/charges", charge("c-3", 500), http.StatusConflict, "mandate_charge_open")
	d.ends(slow.ID, "succeeded")
	p = d.refuses(charges, charge("c-3", 500), http.StatusConflict, "mandate_limit")
	require.Equal(t, []string{"mandate.max_charges"}, p.fields())
	require.Equal(t, 2, d.mandate(o.ID).Charges)

	monthly := d.paid("monthly", 1000, `"mandate":{"min_days":30}`)
	p = d.refuses("/v1/mandates/"+monthly.ID+"/charges", charge("soon", 1000), http.StatusConflict, "mandate_too_soon")
	require.Equal(t, []string{"mandate.min_days"}, p.fields())
	next, err := time.Parse(time.RFC3339, *d.mandate(monthly.ID).NextFrom)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().AddDate(0, 0, 29), next, time.Hour)
}

// A shop pauses, resumes and revokes; a refund of the whole first payment pauses too.
func TestAShopEndsAMandate(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.paid("sub", 1000, `"mandate":{}`)
	charges := "/v1/mandates/" + o.ID + "/charges"
	body := `{"reference":"c-1","amount":1000,"description":"December"}`
	require.Equal(t, "paused", d.decides(o.ID, "pause").Status)
	d.refuses(charges, body, http.StatusConflict, "mandate_not_active")
	require.Equal(t, "active", d.decides(o.ID, "resume").Status)
	d.ends(d.makes(charges, body, http.StatusCreated).ID, "succeeded")

	r := d.makes(refundsOf(o), refund("r-1", 1000), http.StatusCreated)
	d.ends(r.ID, "succeeded")
	require.Equal(t, "paused", d.mandate(o.ID).Status)
	require.Equal(t, "revoked", d.decides(o.ID, "revoke").Status)
	require.Equal(t, "revoked", d.decides(o.ID, "revoke").Status, "once more is no error")
	d.refuses("/v1/mandates/"+o.ID+"/resume", "", http.StatusConflict, "mandate_not_active")
	d.refuses(charges, `{"reference":"c-2","amount":1,"description":"January"}`, http.StatusConflict, "mandate_not_active")
	d.refuses("/v1/mandates/0193f0a2-6d1c-7c7b-9d53-0f6f1c2b7a10/revoke", "", http.StatusNotFound, "not_found")
}

// UAPAY charges by its own schedule. A revoke ends it there, too, and one whose answer is lost is asked for again.
func TestARevokeEndsUAPAYsSchedule(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	terms := `"mandate":{"min_days":30,"expires_at":"` + time.Now().AddDate(0, 0, 75).UTC().Format(time.RFC3339) + `"}`
	p := d.refuses("/v1/payments", uah("bare", 1000, `"mandate":{}`), http.StatusUnprocessableEntity, "missing_fields")
	require.Equal(t, []string{"mandate.expires_at", "mandate.min_days"}, p.fields())
	o := d.opens("sub", terms)
	d.refuses("/v1/mandates/"+o.ID+"/revoke", "", http.StatusConflict, "mandate_not_active")
	d.pays(o, uahSuccess, "")
	d.ends(o.ID, "succeeded")
	require.Equal(t, "provider", d.mandate(o.ID).Driver)
	d.refuses("/v1/mandates/"+o.ID+"/pause", "", http.StatusUnprocessableEntity, "not_supported_by_provider")

	closing := []string{"account", "close", "UAH-sandbox", "--reason", "the contract has ended"}
	closes := func() string {
		code, _, text := command([]string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}, closing...)
		require.Equal(t, 1, code)
		return text
	}
	require.Contains(t, closes(), "1 × mandate that has not ended")
	require.Contains(t, d.operator("mandate", "list", "--account", "UAH-sandbox"), o.ID)
	require.NotContains(t, d.operator("mandate", "list", "--account", "EUR-sandbox"), o.ID)
	d.operator("account", "disable", "UAH-sandbox", "--mode", "off", "--reason", "a breach")
	d.operator("shop", "disable", "demo", "--mode", "off", "--reason", "a breach")

	d.control(http.MethodPost, "/faults", map[string]any{"kind": "drop_after", "endpoint": "invoicer/subscriptions/update", "count": 1})
	d.refuses("/v1/mandates/"+o.ID+"/revoke", "", http.StatusBadGateway, "provider_unavailable")
	m := d.mandate(o.ID)
	require.Equal(t, "revoking", m.Status)
	require.Nil(t, m.EndsAt)
	m = d.decides(o.ID, "revoke")
	require.Equal(t, "revoking", m.Status)
	ends, err := time.Parse(time.RFC3339, *m.EndsAt)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), ends, time.Hour)
	require.Equal(t, m, d.decides(o.ID, "revoke"), "once more changes nothing")
	require.Contains(t, closes(), "1 × mandate that has not ended", "a planned charge may come")

	d.settings(map[string]any{"time_scale": 86_400_000}) // a day in a millisecond
	require.Never(t, func() bool { return len(d.simulator(o).Payments) > 1 }, time.Second, 100*time.Millisecond, "it charges no more")
}

// laterCharge waits for the n-th later charge of a mandate, and returns it.
func (d *dev) laterCharge(first full, n int) full {
	d.t.Helper()
	var list struct{ Data []full }
	eventually(d.t, func() bool {
		d.call(http.MethodGet, "/v1/orders?parent_id="+first.ID, "", &list)
		return len(list.Data) == n
	})
	return list.Data[0] // the newest
}

// Each later charge of UAPAY's own schedule is an order that can be refunded. One after a revoke is a dispute that the shop decides.
func TestUAPAYsLaterChargesAreOrders(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t, "VISIBILITY_DELAY=1s")
	o := d.opens("sub", `"mandate":{"min_days":30,"expires_at":"`+time.Now().AddDate(0, 0, 95).UTC().Format(time.RFC3339)+`"}`)
	d.pays(o, uahSuccess, "")
	o = d.ends(o.ID, "succeeded")
	happens := func(what string, quiet bool) {
		d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/later", map[string]any{"what": what, "no_callback": quiet})
	}
	charges := func() { happens("subscription_charge", false) }
	charges()
	c := d.laterCharge(o, 1)
	require.Equal(t, []any{"succeeded", "provider_schedule", &o.ID, int64(1000)}, []any{c.Status, c.Origin, c.ParentID, c.AmountCaptured})
	require.Regexp(t, "^sub~sub-[0-9a-f]{16}$", c.Reference)
	eventually(t, func() bool { return len(d.notified(c.ID)) == 1 })
	require.Equal(t, []string{"payment.succeeded"}, typesIn(d.notified(c.ID)))
	require.Equal(t, 1, d.mandate(o.ID).Charges)
	d.refunded(c, "sub-r1", 1000)
	payments := d.simulator(o).Payments
	require.Equal(t, []int64{0, 1000}, []int64{payments[0].Refunded, payments[1].Refunded}, "the charge was given back, and not the first payment")

	charges()
	c = d.laterCharge(o, 2)
	happens("chargeback", false)
	require.Equal(t, []any{"reversal", c.ID}, []any{d.disputed(c).Kind, d.disputed(c).OrderID}, "of this charge, and not of the first payment")

	d.settings(map[string]any{"rules": []map[string]any{{"external_prefix": o.ProviderOrderID, "outcome": "fail"}}})
	charges()
	require.Equal(t, "failed", d.laterCharge(o, 3).Status)
	d.settings(map[string]any{"rules": []map[string]any{}})

	happens("subscription_charge", true)
	require.Contains(t, d.operator("mandate", "revoke", o.ID, "--reason", "the customer wrote"), "revoking")
	c = d.laterCharge(o, 4)
	require.Empty(t, d.disputesOf(c), "it came before the revoke, of which nobody had told")
	charges()
	c = d.laterCharge(o, 5)
	dispute := d.disputed(c)
	require.Equal(t, []any{"unauthorized_charge", int64(1000)}, []any{dispute.Kind, dispute.Amount})
	require.Equal(t, "closed", d.resolves(dispute, "refund").Status)
	eventually(t, func() bool { return d.full(c.ID).AmountRefunded == 1000 })
	_, metrics := d.adminGet("/metrics")
	for result, n := range map[string]string{"succeeded": "[23]", "failed": "1", "unauthorized": "1"} { // the service or the operator's command saw the quiet one
		require.Regexp(t, fmt.Sprintf(`payrelay_mandate_charges_total\{result=%q\} %s\n`, result, n), metrics)
	}
}

// A schedule is a term of the mandate. A provider that charges by its own takes none, and one that cannot be kept is refused by name.
func TestAScheduleIsATermOfTheMandate(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	o := d.dev.paid("plan", 1000, `"mandate":{"schedule":{"every":"month","retry_days":[1,3]}}`)
	_, answer := d.raw(http.MethodGet, "/v1/mandates/"+o.ID, "", nil)
	require.Contains(t, string(answer), `"schedule":{"amount":1000,"every":"month","interval":1,"retry_days":[1,3]}`)
	p := d.refuses("/v1/payments", hosted("much", 1000, `"mandate":{"max_amount":500,"schedule":{"every":"day","amount":501}}`), http.StatusUnprocessableEntity, "invalid_request")
	require.Equal(t, []string{"mandate.schedule.amount"}, p.fields())
	until := time.Now().AddDate(0, 0, 75).UTC().Format(time.RFC3339)
	p = d.refuses("/v1/payments", uah("own", 1000, `"mandate":{"min_days":30,"expires_at":"`+until+`","schedule":{"every":"day"}}`), http.StatusUnprocessableEntity, "invalid_request")
	require.Equal(t, []string{"mandate.schedule"}, p.fields())
	p = d.refuses("/v1/payments", uah("less", 1000, `"mandate":{"max_amount":999,"min_days":30,"expires_at":"`+until+`"}`), http.StatusUnprocessableEntity, "invalid_request")
	require.Equal(t, []string{"mandate.max_amount"}, p.fields())
	for terms, field := range map[string]string{
		`"schedule":{"every":"day","retry_days":[1]}`:                 "mandate.schedule.retry_days",
		`"schedule":{"every":"week","retry_days":[1,3,7]}`:            "mandate.schedule.retry_days",
		`"schedule":{"every":"month","interval":1,"retry_days":[31]}`: "mandate.schedule.retry_days",
		`"min_days":30,"schedule":{"every":"day"}`:                    "mandate.min_days",
		`"min_days":9,"schedule":{"every":"week"}`:                    "mandate.min_days",
	} {
		p = d.refuses("/v1/payments", hosted("never", 1000, `"mandate":{`+terms+`}`), http.StatusUnprocessableEntity, "invalid_request")
		require.Equal(t, []string{field}, p.fields(), terms)
	}
	d.dev.paid("as-often", 1000, `"mandate":{"min_days":8,"schedule":{"every":"week","retry_days":[6]}}`)
}
