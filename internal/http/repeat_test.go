package httpapi

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// A repeat gives the first order also if the shop's networks were narrowed since and its address is refused by now: "nothing
// was sent" would be wrong of money that was.
func TestARepeatIsNotRefusedForAnAddressThatWasAllowed(t *testing.T) {
	t.Parallel()
	const notify = `"notification_url":"http://10.1.2.3/x"`
	for path, c := range map[string]struct {
		kind gateway.Kind
		body string
	}{
		"/v1/payments":                         {gateway.KindPayment, `{"reference":"r-1","amount":1000,"currency":"EUR",` + notify + `}`},
		"/v1/payments/" + orderID + "/refunds": {gateway.KindRefund, `{"reference":"r-1","amount":1000,"reason":"x",` + notify + `}`},
		"/v1/payments/" + orderID + "/charges": {gateway.KindPayment, `{"reference":"r-1","amount":1000,"description":"x",` + notify + `}`},
		"/v1/payouts":                          {gateway.KindPayout, `{"reference":"r-1","amount":1000,"account":"a","method":{"type":"phone","phone":"+442079460612"},` + notify + `}`},
		"/v1/payout-cards":                     {gateway.KindPayoutCard, `{"reference":"r-1","account":"a",` + notify + `}`},
		"/v1/transfers": {gateway.KindTransfer, `{"reference":"r-1","amount":1000,"currency":"EUR","account":"a",
			"from":{"card_id":"c-1"},"to":{"card_id":"c-2"},` + notify + `}`},
	} {
		b := setup(t)
		require.Equal(t, http.StatusCreated, b.send(t, "POST", path, c.body, "Authorization", "Bearer "+otherKey).Code, "%s: with the network allowed", path)
		w := b.send(t, "POST", path, c.body)
		require.Equal(t, http.StatusUnprocessableEntity, w.Code, "%s: %s", path, w.Body)
		require.Equal(t, []string{"notification_url"}, readProblem(t, w).fields(), path)

		b.earlier = func(shop uuid.UUID, kind gateway.Kind, reference string, hash []byte) (*payment.Order, error) {
			require.Equal(t, myShop, shop)
			require.Equal(t, c.kind, kind, path)
			require.Equal(t, "r-1", reference)
			require.NotEmpty(t, hash)
			return b.order(kind), nil
		}
		before := b.count()
		w = b.send(t, "POST", path, c.body)
		require.Equal(t, http.StatusOK, w.Code, "%s: %s", path, w.Body)
		require.Empty(t, w.Header().Get("Location"))
		var order struct{ ID, Kind string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &order))
		require.Equal(t, orderID, order.ID)
		require.Equal(t, string(c.kind), order.Kind)
		require.Equal(t, before, b.count(), "nothing is made")

		b.earlier = func(uuid.UUID, gateway.Kind, string, []byte) (*payment.Order, error) {
			return nil, &payment.Error{Code: payment.CodeReferenceConflict, Message: "taken"}
		}
		require.Equal(t, http.StatusConflict, b.send(t, "POST", path, c.body).Code, path)
	}
}
