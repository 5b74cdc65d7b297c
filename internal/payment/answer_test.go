package payment

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// Errors of which a shop and an operator are told more than their kind.
func TestAnswersThatSayWhatToDo(t *testing.T) {
	t.Parallel()
	for code, tc := range map[string]struct {
		err    gateway.Error
		advice gateway.Advice
		says   string
	}{
		"answer_not_signed":   {gateway.Error{Kind: gateway.KindNotSent, Code: gateway.CodeNotSigned}, gateway.AdviceContactProvider, "not signed with this account's key"},
		"not_sent":            {gateway.Error{Kind: gateway.KindNotSent, Code: "refused"}, gateway.AdviceRetryLater, "could not be reached"},
		"initiate_unanswered": {gateway.Error{Kind: gateway.KindDeclined, Code: gateway.CodeUnanswered}, gateway.AdviceRetryLater, "Nothing happened to the money"},
		"NOT_FOUND": {
			gateway.Error{Kind: gateway.KindDeclined, Code: "NOT_FOUND", Fields: []gateway.FieldError{{Field: "payment_method.card_id", Message: "unknown"}}},
			gateway.AdviceFixRequest, "refused the request. payment_method.card_id: unknown.",
		},
	} {
		r := answerObservation(&Order{Operation: gateway.OpSale}, gateway.Result{}, &tc.err, 1, time.Now())
		require.Equal(t, StatusFailed, r.Status, code)
		require.Equal(t, code, r.Failure.Code)
		require.Equal(t, tc.advice, r.Failure.Advice, code)
		require.Contains(t, r.Failure.Message, tc.says, code)
	}
	kept := map[string]gateway.Secret{"before": "paid"}
	r := answerObservation(&Order{Operation: gateway.OpSale}, gateway.Result{State: kept}, &gateway.Error{}, 1, time.Now())
	require.Equal(t, StatusUnknown, r.Status)
	require.Equal(t, kept, r.State, "what was seen before the call is kept")
}

// An id is made once and sent once, so a provider that knows it already must be looked into, whatever becomes of the order.
func TestAnIdThatIsTakenCallsAnOperator(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	o.Provider = "fake"
	var reported []Event
	s := New(Config{Store: &pollStore{order: o}, Observe: func(e Event) { reported = append(reported, e) }})
	o, err := s.ask(t.Context(), o, "payment", func(context.Context) (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindDuplicate, Code: "TAKEN", ProviderData: gateway.ProviderData{"err": "TAKEN"}}
	})
	require.NoError(t, err)
	require.Equal(t, StatusUnknown, o.Status, "it is asked about")
	require.NotNil(t, o.NextPollAt)
	require.Equal(t, 1, o.Conflicts)
	require.Contains(t, o.NewConflicts()[0].Reason, "had an order of this id before")
	require.Equal(t, "TAKEN", o.NewConflicts()[0].ProviderData["err"])
	require.Equal(t, 1, reported[0].Conflicts)
}
