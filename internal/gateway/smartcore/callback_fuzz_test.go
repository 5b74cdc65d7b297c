package smartcore

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func FuzzReadCallback(f *testing.F) {
	for _, v := range loadCases(f).Vectors {
		f.Add(v.Body, v.Secret)
		if v.GenuineBody != "" {
			f.Add(v.GenuineBody, v.Secret)
		}
	}
	client := testClient(f)
	f.Fuzz(func(t *testing.T, body, secret string) {
		if secret == "" {
			secret = "s"
		}
		gw, err := New(client).Open(withCallbackSecret(secret))
		require.NoError(t, err)
		n, err := gw.ReadCallback(rawCallback(body))
		repeated, err2 := gw.ReadCallback(rawCallback(body))
		require.Equal(t, n, repeated)
		require.Equal(t, err == nil, err2 == nil)
		if err != nil {
			var e *gateway.Error
			require.True(t, errors.As(err, &e) && (e.Kind == gateway.KindRejected || e.Kind == gateway.KindInvalidSignature))
			return
		}
		// Believed: the signature must hold when computed by other means, and no key may stand twice.
		form, err := url.ParseQuery(body)
		require.NoError(t, err)
		fields := map[string]string{}
		for key, values := range form {
			require.Len(t, values, 1)
			fields[key] = values[0]
		}
		given := fields["sign"]
		delete(fields, "sign")
		signed, err := url.ParseQuery(sign(t, secret, fields))
		require.NoError(t, err)
		require.True(t, strings.EqualFold(signed.Get("sign"), given))
		if n.VerifyReason == "" {
			require.Equal(t, fields["orderId"], n.OrderID)
			require.NotNil(t, n.Result.Amount)
		} else {
			require.Empty(t, n.Result.Status)
		}
	})
}

func BenchmarkReadCallback(b *testing.B) {
	v := loadCases(b).Vectors[4]
	gw := open(b, withCallbackSecret(v.Secret))
	raw := rawCallback(v.Body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := gw.ReadCallback(raw); err != nil {
			b.Fatal(err)
		}
	}
}
