package smartcore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

func TestCapture(t *testing.T) {
	t.Parallel()
	part := int64(900)
	for _, tc := range []struct {
		name, answer, check string
		status              gateway.Status
		kind                gateway.ErrorKind
		settled             *int64
	}{
		{"done", `{"order_id":"x","status":2}`, `{"order_id":"o-1","status":2,"amount":1000,"finalAmount":900}`, gateway.StatusSucceeded, 0, &part},
		{"done, sum not named", `{"order_id":"x","status":2}`, `{"order_id":"o-1","status":2,"amount":1000}`, gateway.StatusSucceeded, 0, &part},
		{"pending", `{"order_id":"x","status":1}`, "", gateway.StatusProcessing, 0, nil},
		{"done, not confirmed", `{"order_id":"x","status":2}`, "", gateway.StatusProcessing, 0, nil},
		{"failed", `{"order_id":"x","status":-1}`, `{"order_id":"o-1","status":-1,"errorMessage":"TECHNICAL_PROCESSING_ERROR"}`, gateway.StatusFailed, 0, nil},
		{"call failed, still held", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, `{"order_id":"o-1","status":2,"amount":1000}`, "", gateway.KindRefused, nil},
		{"call failed, no check", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, "", "", gateway.KindUnknown, nil},
		{"order not known", `{"err":"ORDER_NOT_FOUND"}`, "", "", gateway.KindNotFound, nil},
		{"says nothing", `{"order_id":"o-1"}`, "", "", gateway.KindUnknown, nil},
	} {
		answers := map[string]string{"/capture": tc.answer}
		if tc.check != "" {
			answers["/check"] = tc.check
		}
		p := newProvider(t, answers)
		result, err := open(t, p.account()).Capture(t.Context(), ref("o-1", 1000), eur(900))
		require.Equal(t, map[string]any{"order_id": "o-1", "amount": "900"}, p.seen()[0].Body, "a capture's amount is text (A5)")
		if tc.status == "" {
			require.Error(t, err, tc.name)
			require.Equal(t, tc.kind, gateway.KindOf(err), tc.name)
			continue
		}
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.status, result.Status, tc.name)
		require.Equal(t, tc.settled, result.Settled, tc.name)
		require.Equal(t, tc.status == gateway.StatusFailed, result.Failure != nil, tc.name)
		require.Equal(t, "900", result.State["captured"].Reveal(), tc.name)
	}
	p := newProvider(t, nil)
	for _, amount := range []money.Money{eur(0), eur(-1), eur(1001), money.New(10, "USD"), {}} {
		_, err := open(t, p.account()).Capture(t.Context(), ref("o-1", 1000), amount)
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(err), amount)
	}
	require.Empty(t, p.seen())
}

func TestFetchRemembersAPartialCapture(t *testing.T) {
	t.Parallel()
	g := open(t, newProvider(t, map[string]string{"/check": `{"order_id":"o-1","status":2,"amount":1000}`}).account())
	r := ref("o-1", 1000)
	r.Operation, r.State = gateway.OpCapture, map[string]gateway.Secret{"captured": "900"}
	result, err := g.Fetch(t.Context(), r)
	require.NoError(t, err)
	require.EqualValues(t, 900, *result.Settled)
	r.Operation = gateway.OpAuthorize
	result, err = g.Fetch(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusAuthorized, result.Status)
	require.Nil(t, result.Settled)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, answer, check string
		status              gateway.Status
		kind                gateway.ErrorKind
	}{
		{"done", `{"status":-1}`, `{"order_id":"o-1","status":-1}`, gateway.StatusCanceled, 0},
		{"done, not confirmed", `{"status":-1}`, "", gateway.StatusProcessing, 0},
		{"pending", `{"status":1}`, "", gateway.StatusProcessing, 0},
		{"claimed, check still pending", `{"status":-1}`, `{"order_id":"o-1","status":1}`, gateway.StatusProcessing, 0},
		{"refused, still held", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, `{"order_id":"o-1","status":2}`, "", gateway.KindRefused},
		{"refused, but gone already", `{"status":-1,"err":"PROCESSING_ERROR"}`, `{"order_id":"o-1","status":-1}`, gateway.StatusCanceled, 0},
		{"refused, no check", `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`, "", "", gateway.KindUnknown},
	} {
		answers := map[string]string{"/cancel": tc.answer}
		if tc.check != "" {
			answers["/check"] = tc.check
		}
		result, err := open(t, newProvider(t, answers).account()).Cancel(t.Context(), ref("o-1", 1000))
		if tc.status == "" {
			require.Error(t, err, tc.name)
			require.Equal(t, tc.kind, gateway.KindOf(err), tc.name)
			continue
		}
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.status, result.Status, tc.name)
		require.Nil(t, result.Failure, tc.name)
	}
	// A cancel that took no effect says nothing that could be booked.
	g := open(t, newProvider(t, map[string]string{"/cancel": `{"status":2}`, "/check": `{"order_id":"o-1","status":2}`}).account())
	result, err := g.Cancel(t.Context(), ref("o-1", 1000))
	require.NoError(t, err)
	require.Empty(t, result.Status)
}
