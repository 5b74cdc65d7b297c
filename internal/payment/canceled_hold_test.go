package payment

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/smartcore"
)

// smartcoreStore has one order on an account of SmartCore.
type smartcoreStore struct{ callbackStore }

func (s *smartcoreStore) AccountByCallbackToken(context.Context, string) (Account, error) {
	return Account{
		ID: s.order.AccountID, Name: "test", Provider: smartcore.Name, Currency: "EUR",
		Secrets: map[string]gateway.Secret{"merchant_key": "key", "secret": "secret"},
	}, nil
}

// signedBySmartCore is the body of a callback about order o, by smartcore.md 11: a success with an RRN and a final amount.
func signedBySmartCore(rrn, final string) []byte {
	fields := map[string]string{
		"amount": "1000", "authorize_status": "null", "cascadeErrors": "null", "currency": "EUR", "eci": "05", "finalAmount": final,
		"firstName": "John", "isTrustedTransaction": "false", "lastName": "Doe", "message": "null", "orderId": "o", "rrn": rrn, "status": "2", "type": "Payment",
	}
	keys := make([]string, 0, len(fields))
	form := url.Values{}
	for key, value := range fields {
		keys = append(keys, key)
		form.Set(key, value)
	}
	slices.Sort(keys)
	values := make([]string, 0, len(keys))
	for _, key := range keys {
		values = append(values, fields[key])
	}
	h := hmac.New(sha256.New, []byte("secret"))
	h.Write([]byte(strings.Join(values, "|")))
	form.Set("sign", hex.EncodeToString(h.Sum(nil)))
	return []byte(form.Encode())
}

// SmartCore has one word for a hold and for what is taken of it. After a cancel, that word about another movement of money than
// the hold is about a charge that the shop does not know of.
func TestAPaidCallbackAfterACancelIsTheHoldsOwnOrAConflict(t *testing.T) {
	t.Parallel()
	const hold, other = "318513456789", "318513456790"
	for name, tc := range map[string]struct {
		rrn, final string
		status     Status // of the order when the callback comes
		want       Verdict
	}{
		"the hold's own":                {hold, "1000", StatusCanceled, Stale},
		"the hold's own, without a sum": {hold, "null", StatusCanceled, Stale},
		"another movement":              {other, "1000", StatusCanceled, Conflict},
		"another sum":                   {hold, "400", StatusCanceled, Conflict},
		"another sum without an RRN":    {"null", "400", StatusCanceled, Conflict},
		"without an RRN":                {"null", "1000", StatusCanceled, Stale},
		"another movement of a failure": {other, "1000", StatusFailed, Conflict},
		"the hold's own during it":      {hold, "1000", StatusProcessing, Verify},
		"another movement during it":    {other, "1000", StatusProcessing, Conflict},
		"another sum during it":         {hold, "400", StatusProcessing, Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := heldOrder(t, hold)
			o.ProviderOrderID, o.Provider = "o", smartcore.Name
			now := epoch.Add(time.Hour)
			o.command(Policy{Schedule: DefaultSchedule}, gateway.OpCancel, now)
			if tc.status.Final() {
				require.Equal(t, Apply, o.Record(Observation{Source: SourceAnswer, Status: tc.status, AsOf: o.Sequence, At: now}))
			}
			s := New(Config{
				Store: &smartcoreStore{callbackStore{pollStore: pollStore{order: o}}}, Drivers: gateway.NewRegistry(smartcore.New(nil)),
				Now: func() time.Time { return now },
			})
			verdict, err := s.HandleCallback(t.Context(), smartcore.Name, "token", gateway.RawCallback{
				Method: "POST", ContentType: "application/x-www-form-urlencoded", Body: signedBySmartCore(tc.rrn, tc.final), ReceivedAt: now,
			})
			require.NoError(t, err)
			require.Equal(t, tc.want, verdict)
			require.Equal(t, tc.status, o.Status)
			require.Equal(t, tc.want == Conflict, o.Conflicts == 1, "%d conflicts", o.Conflicts)
		})
	}
}
