package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// What was removed is rendered with the order as it stands now, and says so. All else is as it was sent.
func TestRemovedPayloadIsRenderedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	item := payment.FeedItem{
		ID: uuid.MustParse(orderID), Order: b.order(gateway.KindPayment),
		Transition: payment.Transition{Sequence: 2, From: payment.StatusCreated, To: payment.StatusProcessing, At: at},
	}
	rendered, err := renderRemoved(item)
	require.NoError(t, err)
	_, sent, err := RenderNotification(item.Order, item.Transition, item.ID)
	require.NoError(t, err)
	var got, want map[string]any
	require.NoError(t, json.Unmarshal(rendered, &got))
	require.NoError(t, json.Unmarshal(sent, &want))
	require.NotContains(t, want, "rendered_again")
	want["rendered_again"] = true
	require.Equal(t, want, got)

	b.removed = &item
	var list struct{ Data []map[string]any }
	w := b.send(t, "GET", "/v1/events", "")
	require.Equal(t, 200, w.Code)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &list))
	require.Equal(t, []map[string]any{want}, list.Data)
}
