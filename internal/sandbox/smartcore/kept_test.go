package smartcore

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"payrelay/internal/sandbox/simulatortest"
)

func TestExportWaitsThenListsOrders(t *testing.T) {
	t.Parallel()
	b := newBundle(t, func(s *Settings) { s.ExportPendingPolls = 2 })
	b.call("/pci/initPaymentHost2Host", b.pay("x1", card(CardFrictionless)))
	b.status("x1", 2)
	const path = "/reporting/aggregation-service/public/transaction/excel"
	id := b.call(path, object{"type": "Payment", "status": 2, "dateFrom": 0, "dateTo": "99999999999999"})["id"].(string)
	for _, want := range []string{`"status":1`, `"status":1`, `"status":2`} {
		_, raw, err := b.raw(http.MethodGet, path+"/task/"+id, "")
		require.NoError(t, err)
		require.Contains(t, string(raw), want)
	}
	_, raw, err := b.raw(http.MethodGet, path+"/task/"+id+"/result", "")
	require.NoError(t, err)
	f, err := excelize.OpenReader(bytes.NewReader(raw))
	require.NoError(t, err)
	rows, err := f.GetRows("Sheet1")
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, "x1", rows[1][1])
}

// A card number sent or typed anywhere never reaches the log, a record or the control API.
func TestNoCardDataIsKept(t *testing.T) {
	t.Parallel()
	var log simulatortest.Log
	b := newLoggedBundle(t, nil, &log)
	b.call("/pci/initPaymentHost2Host", b.pay("leak", with(card(CardFrictionless), object{"card_cvv": "987", "purpose": "my card 4012 0000 0000 3010"})))
	b.call("/gateway/initPayment", b.pay("leak2", object{"customer_first_name": CardChallenge, "card_number": CardChallenge}))
	b.status("leak", 2)
	b.callbacks(1)
	for _, path := range []string{"/control/orders", "/control/orders/leak", "/control/requests", "/", "/orders/leak"} {
		status, raw, err := b.raw(http.MethodGet, path, "")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, path)
		for _, secret := range []string{CardFrictionless, CardChallenge, "4012 0000", `"987"`, "qwerty"} {
			require.NotContains(t, string(raw), secret, path)
		}
		if path == "/control/requests" {
			require.Contains(t, string(raw), "401200******3010")
		}
	}
	for _, secret := range []string{CardFrictionless, CardChallenge, "leak", "qwerty"} {
		require.NotContains(t, log.String(), secret)
	}
	require.NotEmpty(t, log.String())
}

func TestOldOrdersAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	b.simulator.mu.Lock()
	b.simulator.orders.max = 3
	b.simulator.mu.Unlock()
	for _, id := range []string{"1", "2", "3", "4"} {
		b.call("/gateway/initPayment", b.pay(id, nil))
	}
	require.Equal(t, "ORDER_NOT_FOUND", b.check("1")["err"])
	require.Len(t, b.simulator.Orders(0), 3)
	require.Len(t, b.simulator.orders.byProcessing, 3)
}
