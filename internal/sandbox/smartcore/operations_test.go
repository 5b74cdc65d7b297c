package smartcore

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/fault"
)

func TestExpiredCardsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for id, c := range map[string]struct {
		number, month, year string
		status              int
	}{
		"old":        {CardFrictionless, "01", "20", -1},
		"old-acs":    {CardChallenge, "01", "20", -1},
		"documented": {CardFrictionless, "02", "25", 2},
		"this-month": {CardFrictionless, time.Now().UTC().Format("01"), time.Now().UTC().Format("06"), 2},
		"far":        {CardFrictionless, "12", "99", 2},
	} {
		for _, path := range []string{"/pci/initPaymentHost2Host", "/pci/authorize"} {
			id := id + strings.ReplaceAll(path, "/", "-")
			b.call(path, b.pay(id, with(card(c.number), object{"card_exp_month": c.month, "card_exp_year": c.year, "payment_method": "card"})))
			checked := b.status(id, c.status)
			if c.status == -1 {
				require.Equal(t, CodeEmitterDenial, checked["errorMessage"], id)
			}
		}
		out := object{"account": "EUR-sandbox-payout", "order_id": "out-" + id, "amount": 5, "payment_method": "card", "customer_card_number": c.number}
		b.call("/pci/withdrawal/init", with(out, object{"customer_card_exp_month": c.month, "customer_card_exp_year": c.year}))
		b.status("out-"+id, c.status)
	}
}

// An installation of the older text takes all of a hold, whatever it is asked for, and names no settled sum.
func TestCaptureIgnoresTheAmount(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) {
		s.CaptureIgnoresAmount, s.CheckFinalAmount, s.CaptureAnswer, s.CaptureNewRRN = true, false, "full", true
	}))
	b.call("/pci/authorize", b.pay("a", card(CardFrictionless)))
	b.status("a", 2)
	held, _ := b.simulator.Order("a")
	got := b.call("/gateway/capture", object{"order_id": "a", "amount": "900"})
	require.EqualValues(t, 2, got["status"])
	require.EqualValues(t, 1000, got["amount"])
	require.NotContains(t, got, "finalAmount")
	taken, _ := b.simulator.Order("a")
	require.EqualValues(t, 1000, taken.FinalAmount)
	require.NotEqual(t, held.RRN, taken.RRN)
}

// A hold that nobody captures is let go in the end: -1, and no error.
func TestAHoldExpires(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/pci/authorize", b.pay("a", card(CardFrictionless)))
	b.status("a", 2)
	require.NoError(t, b.simulator.Complete("a", "hold_expired"))
	got := b.check("a")
	require.EqualValues(t, -1, got["status"])
	require.Nil(t, got["errorMessage"])
	require.Equal(t, CodeValidation, b.call("/gateway/capture", object{"order_id": "a"})["err"])
	require.Error(t, b.simulator.Complete("a", "hold_expired"), "nothing is held any more")
	b.call("/pci/initPaymentHost2Host", b.pay("paid", with(card(CardFrictionless), object{"payment_method": "card"})))
	b.status("paid", 2)
	require.Error(t, b.simulator.Complete("paid", "hold_expired"))
}

func TestCheckNamesAnotherSum(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/pci/initPaymentHost2Host", b.pay("a", with(card(CardFrictionless), object{"payment_method": "card"})))
	b.status("a", 2)
	sum := int64(1200)
	b.fault(fault.Fault{Kind: fault.CheckLie, OrderID: "a", Count: 1, FinalAmount: &sum})
	got := b.check("a")
	require.EqualValues(t, 2, got["status"])
	require.EqualValues(t, 1200, got["finalAmount"])
	require.EqualValues(t, 1000, b.check("a")["finalAmount"])
}

func TestCaptureAndCancel(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	for _, id := range []string{"a1", "a2", "a3"} {
		b.call("/pci/authorize", b.pay(id, card(CardFrictionless)))
		b.status(id, 2)
	}
	require.Equal(t, CodeValidation, b.call("/gateway/refund", object{"order_id": "a1", "amount": 1, "reason": "r"})["err"])
	require.Equal(t, CodeValidation, b.call("/gateway/capture", object{"order_id": "a1", "amount": "1001"})["err"])
	got := b.call("/gateway/capture", object{"order_id": "a1", "amount": "900"})
	require.EqualValues(t, 2, got["status"])
	require.Len(t, got, 2)
	require.EqualValues(t, 900, b.check("a1")["finalAmount"])
	require.Equal(t, CodeValidation, b.call("/gateway/capture", object{"order_id": "a1"})["err"])
	require.Equal(t, CodeValidation, b.call("/gateway/cancel", object{"order_id": "a1"})["err"])
	require.EqualValues(t, 2, b.check("a1")["status"])

	require.EqualValues(t, -1, b.call("/gateway/cancel", object{"order_id": "a2"})["status"])
	require.Nil(t, b.check("a2")["errorMessage"])
	require.Equal(t, CodeValidation, b.call("/gateway/capture", object{"order_id": "a2"})["err"])

	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.CapturePendingMS = 20 }))
	require.EqualValues(t, 1, b.call("/gateway/capture", object{"order_id": "a3", "amount": 500})["status"])
	require.Equal(t, CodeValidation, b.call("/gateway/cancel", object{"order_id": "a3"})["err"])
	require.EqualValues(t, 500, b.status("a3", 2)["finalAmount"])
	require.Equal(t, CodeValidation, b.call("/gateway/capture", object{"order_id": "none"})["err"])
}

func TestRefundsNeverExceedThePayment(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/pci/initPaymentHost2Host", b.pay("r", card(CardFrictionless)))
	b.status("r", 2)
	refund := func(amount int) object {
		return b.call("/gateway/refund", object{"order_id": "r", "amount": amount, "reason": "x", "callback_url": b.hook.URL})
	}
	first := refund(400)
	require.Equal(t, false, first["success"])
	got := b.status(first["refund_id"].(string), 2)
	require.Equal(t, "Refund", got["type"])
	require.Equal(t, first["refund_id"], got["order_id"])
	require.Equal(t, first["parentTransaction"], got["parentTransaction"])
	refused := refund(601)
	require.Equal(t, CodeValidation, refused["err"])
	require.Nil(t, refused["refund_id"])
	require.NotNil(t, refund(600)["refund_id"])
	require.Nil(t, refund(1)["refund_id"])
	cb := b.callbacks(3)
	require.Equal(t, "Refund", cb[2].Get("type"))
	require.Equal(t, "r", cb[2].Get("orderId"))

	b.call("/pci/initPaymentHost2Host", b.pay("r2", card(CardFrictionless)))
	b.status("r2", 2)
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.RefundFails = true }))
	failed := b.call("/gateway/refund", object{"order_id": "r2", "amount": 1000, "reason": "x"})
	b.status(failed["refund_id"].(string), -1)
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.RefundFails = false }))
	require.NotNil(t, b.call("/gateway/refund", object{"order_id": "r2", "amount": 1000, "reason": "x"})["refund_id"])
}

func TestRecurrentNeedsAMarkedParent(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.call("/pci/initPaymentHost2Host", b.pay("p1", card(CardFrictionless)))
	b.call("/pci/initPaymentHost2Host", b.pay("p2", with(card(CardFrictionless), object{"recurrent": true})))
	b.status("p1", 2)
	b.status("p2", 2)
	charge := func(id, parent string) object {
		return b.call("/gateway/recurrent", object{"order_id": id, "parent_order_id": parent, "amount": 300, "purpose": "x"})
	}
	require.Equal(t, CodeValidation, charge("c0", "p1")["err"])
	require.Equal(t, "ORDER_NOT_FOUND", b.check("c0")["err"])
	require.Equal(t, true, charge("c1", "p2")["success"])
	require.EqualValues(t, 300, b.status("c1", 2)["amount"])
	require.Equal(t, CodeDuplicate, charge("c1", "p2")["err"])
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.RecurrentErr = CodeInsufficientFunds }))
	require.Subset(t, charge("c2", "p2"), object{"success": false, "status": -1.0, "err": CodeInsufficientFunds})
	require.Equal(t, "ORDER_NOT_FOUND", b.check("c2")["err"])
}

func TestWithdrawalsMoveTheBalance(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.WithdrawalMS = 60_000 })
	balance := func() (float64, float64) {
		got := b.call("/gateway/withdrawal/balance/get", object{"account": "EUR-sandbox-payout"})
		return got["balance"].(float64), got["holdBalance"].(float64)
	}
	out := func(id string, amount int, number string) object {
		return b.call("/pci/withdrawal/init", object{
			"account": "EUR-sandbox-payout", "order_id": id, "amount": amount, "payment_method": "card", "customer_card_number": number,
		})
	}
	start, _ := balance()
	require.EqualValues(t, 1, out("w1", 100, CardFrictionless)["status"])
	left, hold := balance()
	require.Equal(t, []float64{start - 100, 100}, []float64{left, hold})
	require.NoError(t, b.simulator.Complete("w1", "success"))
	left, hold = balance()
	require.Equal(t, []float64{start - 100, 0}, []float64{left, hold})
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.WithdrawalMS = 1 }))
	got := out("w2", 100, "4123540003981114")
	require.Equal(t, "412354******1114", got["card"].(object)["number"])
	require.Equal(t, CodeEmitterDenial, b.status("w2", -1)["errorMessage"])
	out("w3", int(start), CardFrictionless)
	require.Equal(t, CodeInsufficientFunds, b.status("w3", -1)["errorMessage"])
	left, hold = balance()
	require.Equal(t, []float64{start - 100, 0}, []float64{left, hold})
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.WithdrawalImmediate = true }))
	require.EqualValues(t, 2, out("w4", 1, CardFrictionless)["status"])
}
