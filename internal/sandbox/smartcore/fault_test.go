package smartcore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/fault"
)

func (b *bundle) fault(f fault.Fault) string {
	b.Helper()
	id, err := b.simulator.AddFault(f)
	require.NoError(b, err)
	return id
}

// Each fault of an answer looks like what it pretends to be, takes effect once, and
// the order exists exactly when the fault comes after processing.
func TestAnswerFaults(t *testing.T) {
	t.Parallel()
	broken := func(_ int, _ []byte, err error) bool { return err != nil }
	code := func(want int) func(int, []byte, error) bool {
		return func(got int, raw []byte, err error) bool { return err == nil && got == want && !json.Valid(raw) }
	}
	for _, c := range []struct {
		kind   fault.Kind
		seen   func(int, []byte, error) bool
		exists bool
	}{
		{fault.DropBefore, broken, false},
		{fault.DropAfter, broken, true},
		{fault.BadGatewayBefore, code(502), false},
		{fault.BadGatewayAfter, code(502), true},
		{fault.ServerErrorHTML, code(500), true},
		{fault.TooManyRequests, code(429), false},
		{fault.TruncatedJSON, code(200), true},
		{fault.CloseMidBody, broken, true},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, nil)
			b.fault(fault.Fault{Kind: c.kind, Endpoint: "initPayment", OrderID: "hit", Count: 1})
			b.call("/gateway/initPayment", b.pay("other", nil))
			raw, err := json.Marshal(b.pay("hit", nil))
			require.NoError(t, err)
			status, answer, err := b.raw(http.MethodPost, "/gateway/initPayment", string(raw))
			require.True(t, c.seen(status, answer, err), "%d %q %v", status, answer, err)
			_, known := b.simulator.Order("hit")
			require.Equal(t, c.exists, known)
			require.Empty(t, b.simulator.Faults())
			seen := b.simulator.Requests("hit")
			require.Len(t, seen, 1)
			require.Equal(t, []string{string(c.kind)}, seen[0].Faults)
			repeated := b.call("/gateway/initPayment", b.pay("hit", nil))
			if c.exists {
				require.Equal(t, CodeDuplicate, repeated["err"])
			} else {
				require.EqualValues(t, 1, repeated["status"])
			}
		})
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for _, kind := range []fault.Kind{fault.DelayBefore, fault.DelayAfter} {
		b.fault(fault.Fault{Kind: kind, Count: 1, DelayMS: 60})
		start := time.Now()
		b.check("x")
		require.GreaterOrEqual(t, time.Since(start), 60*time.Millisecond)
	}
}

func TestCheckFaults(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/gateway/initPayment", b.pay("c", nil))
	b.fault(fault.Fault{Kind: fault.CheckNotFound, OrderID: "c", Count: 2})
	require.Equal(t, "ORDER_NOT_FOUND", b.check("c")["err"])
	require.NotContains(t, b.check("c"), "status")
	require.EqualValues(t, 0, b.check("c")["status"])
	b.fault(fault.Fault{Kind: fault.CheckLie, OrderID: "c", Count: 1, Status: -1, Code: CodeProcessing})
	lie := b.check("c")
	require.EqualValues(t, -1, lie["status"])
	require.Equal(t, CodeProcessing, lie["errorMessage"])
	require.EqualValues(t, 0, b.check("c")["status"])

	b.fault(fault.Fault{Kind: fault.CheckNotFound, ForMS: 100})
	b.call("/gateway/initPayment", b.pay("young", nil))
	require.Equal(t, "ORDER_NOT_FOUND", b.check("young")["err"])
	b.eventually(func() bool { return b.check("young")["err"] == nil })
	for how, want := range map[string]int{"404": 404, "status": 200} {
		require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.UnknownOrder = how }))
		status, _, err := b.raw(http.MethodPost, "/gateway/check", `{"order_id":"nobody"}`)
		require.NoError(t, err)
		require.Equal(t, want, status)
	}
}

func TestCallbackFaults(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	finish := func(id string) {
		b.call("/gateway/initPayment", b.pay(id, nil))
		require.NoError(t, b.simulator.Complete(id, "success"))
	}
	b.fault(fault.Fault{Kind: fault.CallbackOff, OrderID: "off"})
	finish("off")
	b.fault(fault.Fault{Kind: fault.CallbackDuplicate, OrderID: "dup", Times: 5})
	finish("dup")
	require.Len(t, b.callbacks(5), 5)
	for _, body := range b.hook.Got() {
		require.Equal(t, b.hook.Got()[0], body)
		require.Contains(t, body, "orderId=dup")
	}
	o, _ := b.simulator.Order("off")
	require.NotEmpty(t, o.Callbacks[0].Suppressed)

	b.fault(fault.Fault{Kind: fault.CallbackLate, OrderID: "late", DelayMS: 80})
	start := time.Now()
	finish("late")
	b.callbacks(6)
	require.GreaterOrEqual(t, time.Since(start), 80*time.Millisecond)

	b.fault(fault.Fault{Kind: fault.CallbackForged, OrderID: "forged", Variant: "F05"})
	finish("forged")
	require.Equal(t, "Refund", b.callbacks(7)[6].Get("typeOf"))
	_, err := b.simulator.AddFault(fault.Fault{Kind: fault.CallbackForged, Variant: "nonsense"})
	require.Error(t, err)
}

func TestReorderedCallbacks(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.CallbackNonTerminal = true })
	b.fault(fault.Fault{Kind: fault.CallbackReordered, OrderID: "re", Count: 1, DelayMS: 5000})
	b.call("/gateway/initPayment", b.pay("re", nil))
	require.NoError(t, b.simulator.Complete("re", "success"))
	cb := b.callbacks(2)
	require.Equal(t, []string{"2", "0"}, []string{cb[0].Get("status"), cb[1].Get("status")})
}

func TestCallbackBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.fault(fault.Fault{Kind: fault.CallbackBeforeAnswer, Count: 2, Outcome: "success"})
	b.call("/pci/initPaymentHost2Host", b.pay("early", card(CardFrictionless)))
	require.Len(t, b.hook.Got(), 1)
	b.call("/gateway/initPayment", b.pay("early2", nil))
	got := b.got()
	require.Len(t, got, 2)
	require.Equal(t, []string{"early2", "2"}, []string{got[1].Get("orderId"), got[1].Get("status")})
	b.call("/gateway/initPayment", b.pay("calm", nil))
	require.Len(t, b.hook.Got(), 2)

	b.fault(fault.Fault{Kind: fault.CallbackOff, OrderID: "off"})
	b.fault(fault.Fault{Kind: fault.CallbackBeforeAnswer, OrderID: "off", Outcome: "success"})
	b.call("/gateway/initPayment", b.pay("off", nil))
	require.Len(t, b.hook.Got(), 2, "off is off")
}

func TestRedeliveryUntil200(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.hook.Answer(func(n int) int {
		if n < 3 {
			return 500
		}
		return 200
	})
	b.call("/gateway/initPayment", b.pay("again", nil))
	require.NoError(t, b.simulator.Complete("again", "success"))
	b.callbacks(3)
	attempts := func() []callback.Attempt {
		o, _ := b.simulator.Order("again")
		return o.Callbacks[0].Attempts
	}
	b.eventually(func() bool { return len(attempts()) == 3 })
	require.Equal(t, []int{500, 500, 200}, []int{attempts()[0].Status, attempts()[1].Status, attempts()[2].Status})

	b.hook.Answer(func(int) int { return 201 }) // not 200
	require.NoError(t, b.simulator.SendCallback("again", CallbackRequest{}))
	b.eventually(func() bool {
		o, _ := b.simulator.Order("again")
		return len(o.Callbacks[1].Attempts) == 4 // the first and three redeliveries
	})
}

// All variants of one order: only the properly signed ones verify by value.
func TestCallbackVariants(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.simulator.SetCallbackSecret("v", "another secret")
	b.call("/gateway/initPayment", b.pay("v", nil))
	require.NoError(t, b.simulator.Complete("v", "fail"))
	b.callbacks(1)
	invalid := map[string]bool{VariantWrongSignature: true, VariantWrongSecret: true, VariantUnsigned: true, VariantTampered: true}
	for i, name := range Variants() {
		require.NoError(t, b.simulator.SendCallback("v", CallbackRequest{Variant: name, Victim: "victim-1"}))
		got := b.callbacks(i + 2)[i+1]
		body := b.hook.Got()[i+1]
		require.Equal(t, !invalid[name], got.Get("sign") == Sign("another secret", pairsOf(t, body)), name)
		if strings.HasPrefix(name, "F0") && strings.Contains("F02 F03 F04 F06 F09", name) {
			require.Equal(t, []string{"victim-1", "2"}, []string{got.Get("orderId"), got.Get("status")}, name)
		}
		if name == VariantReplay {
			require.Equal(t, b.hook.Got()[0], body)
		}
	}
}

// A callback sent by hand may say anything, under a genuine signature.
func TestCallbackWithOtherFields(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/gateway/initPayment", b.pay("f", nil))
	require.NoError(t, b.simulator.SendCallback("f", CallbackRequest{Fields: map[string]string{"finalAmount": "1001", "rrn": "", "MID": "77", "status": "2"}}))
	got := b.callbacks(1)[0]
	require.Equal(t, []string{"1001", "77", "2"}, []string{got.Get("finalAmount"), got.Get("MID"), got.Get("status")})
	require.NotContains(t, got, "rrn")
	require.Equal(t, Sign(b.simulator.secretOf(b.simulator.orders.anyMerchant("f")), pairsOf(t, b.hook.Got()[0])), got.Get("sign"))
}

func TestControlAPI(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/gateway/initPayment", b.pay("ctl", nil))
	send := func(method, path, body string, want int) string {
		t.Helper()
		status, raw, err := b.raw(method, "/control"+path, body)
		require.NoError(t, err)
		require.Equal(t, want, status, string(raw))
		return string(raw)
	}
	require.Contains(t, send("POST", "/faults", `{"kind":"drop_after","endpoint":"check"}`, 201), `"1"`)
	send("POST", "/faults", `{"kind":"nonsense"}`, 400)
	send("POST", "/faults", `{"knd":"drop_after"}`, 400)
	require.Contains(t, send("GET", "/faults", "", 200), "drop_after")
	send("DELETE", "/faults/1", "", 204)
	send("DELETE", "/faults", "", 200)
	require.Contains(t, send("POST", "/settings", `{"capture_answer":"full"}`, 200), `"capture_answer": "full"`)
	require.Equal(t, []int{5, 10, 20}, b.simulator.Settings().CallbackRetryMS)
	send("POST", "/settings", `{"capture_answer":"odd"}`, 400)
	send("POST", "/settings", `{"no_such":1}`, 400)
	require.Contains(t, send("POST", "/orders/ctl/complete", `{"outcome":"LIMIT_PROCESSING_ERROR"}`, 200), "LIMIT_PROCESSING_ERROR")
	send("POST", "/orders/ctl/complete", `{"outcome":"success"}`, 409)
	send("POST", "/orders/none/complete", `{"outcome":"success"}`, 404)
	send("POST", "/orders/ctl/callback", `{"variant":"F01"}`, 202)
	b.callbacks(2)
	require.Contains(t, send("GET", "/orders/ctl", "", 200), `"endpoint": "initPayment"`)
	require.Contains(t, send("GET", "/requests?order_id=ctl", "", 200), `"customer_city": "London"`)
	send("DELETE", "/settings", "", 200)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/console/faults", strings.NewReader("kind=drop_after"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.Empty(t, b.simulator.Faults())
}

// Twenty browsers and twenty callers at once finish an order once.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	form := b.call("/gateway/initPayment", b.pay("race", nil))["form_url"].(string)
	var all sync.WaitGroup
	won := make([]bool, 20)
	for i := range 20 {
		all.Go(func() { b.visit(http.MethodPost, form, typed(CardFrictionless)) })
		all.Go(func() {
			got := b.call("/pci/initPaymentHost2Host", b.pay("one", card(CardFrictionless)))
			won[i] = got["err"] == nil
			b.call("/pci/initPaymentHost2Host", b.pay(fmt.Sprint("own", i), card(CardFrictionless)))
			b.check("race")
			b.simulator.Orders(0)
		})
	}
	all.Wait()
	winners := 0
	for _, w := range won {
		if w {
			winners++
		}
	}
	require.Equal(t, 1, winners)
	b.callbacks(22)
	o, _ := b.simulator.Order("race")
	require.Len(t, o.Callbacks, 1)
}

func TestRecipesActOnlyWhereTheyAreOn(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		b := newBundle(t, nil)
		b.simulator.cfg.Recipes = on
		b.call("/gateway/initPayment", with(b.pay("r", nil), object{"amount": 777708}))
		require.NoError(t, b.simulator.Complete("r", "success"))
		o, _ := b.simulator.Order("r")
		require.Len(t, o.Callbacks, 1)
		require.Equal(t, on, o.Callbacks[0].Suppressed != "", "%v", on)
		require.Equal(t, on, len(b.simulator.Faults()) == 1)
	}
}
