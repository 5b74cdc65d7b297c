package names

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckNamesTheNearest(t *testing.T) {
	t.Parallel()
	known := []string{"initPayment", "initPaymentHost2Host", "refund", "withdrawal/init"}
	require.NoError(t, Check("endpoint", "refund", known))
	require.EqualError(t, Check("endpoint", "refnd", known[1:3]), `unknown endpoint "refnd", did you mean "refund"? It must be one of initPaymentHost2Host, refund`)
	require.EqualError(t, Check("endpoint", "nope-*", known[1:3]), `unknown endpoint "nope-*": it must be one of initPaymentHost2Host, refund`)
	require.EqualError(t, Check("endpoint", "", known[1:3]), `no endpoint is named: it must be one of initPaymentHost2Host, refund`)
	for typed, nearest := range map[string]string{
		"initpayment": "initPayment", "InitPaymentHost2": "initPaymentHost2Host", "refunds": "refund", "/withdrawal/init": "withdrawal/init",
	} {
		require.ErrorContains(t, Check("endpoint", typed, known), `did you mean "`+nearest+`"?`, typed)
	}
}
