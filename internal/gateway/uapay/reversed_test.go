package uapay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// Money that had gone back before anybody looked: a sale was paid and given back, a hold was let go.
func TestWhatIsFirstSeenReversed(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)["invoice_show_reversed"]
	for name, tc := range map[string]struct {
		ref    gateway.Ref
		status gateway.Status
		back   int64
	}{
		"a sale":    {payment(gateway.OpSale), gateway.StatusSucceeded, 25000},
		"a hold":    {payment(gateway.OpAuthorize), gateway.StatusCanceled, 0},
		"a cancel":  {payment(gateway.OpCancel), gateway.StatusCanceled, 0},
		"a capture": {payment(gateway.OpCapture), gateway.StatusSucceeded, 25000},
	} {
		p := newProvider(t, map[string][]string{"invoicer/invoices/show": {v.answer(t)}})
		tc.ref.ProviderReference = testInvoice
		result, err := open(t, account(p.url)).Fetch(t.Context(), tc.ref)
		require.NoError(t, err, name)
		require.Equal(t, tc.status, result.Status, name)
		if tc.back == 0 {
			require.Nil(t, result.Refunded, name)
			continue
		}
		require.Equal(t, tc.back, *result.Refunded, name)
	}
}
