package payment

import (
	"context"
	"errors"
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
			gateway.AdviceFixRequest, "refused the request. payment_method.card_id unknown.",
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

// What an error says of a new order, by kind: the reason that the shop reads, and whether the order ends.
func TestNoBelievableAnswer(t *testing.T) {
	t.Parallel()
	for kind, says := range map[gateway.ErrorKind]string{
		gateway.KindUnknown: "no answer that can be believed", gateway.KindNotFound: "no answer that can be believed",
		gateway.KindRejected: "no answer that can be believed", gateway.KindDuplicate: "has an order of this id already",
	} {
		r := answerObservation(newTestOrder(), gateway.Result{}, &gateway.Error{Kind: kind}, 1, epoch)
		require.Equal(t, StatusUnknown, r.Status, kind)
		require.Nil(t, r.Failure, kind)
		require.Contains(t, r.Reason, says, kind)
	}
}

// A state that is not listed leaves a new order unknown, and changes nothing of one that is with the provider already. A
// transfer that was found is with the provider.
func TestAnAnswerInAStateThatIsNotListed(t *testing.T) {
	t.Parallel()
	found := newTestOrder()
	found.Kind = gateway.KindTransfer
	for _, tc := range []struct {
		order *Order
		want  Status
	}{{newTestOrder(), StatusUnknown}, {found, StatusProcessing}, {orderIn(t, StatusProcessing), ""}} {
		r := answerObservation(tc.order, gateway.Result{}, nil, 1, epoch)
		require.Equal(t, tc.want, r.Status)
		require.Equal(t, tc.want != "", r.Reason != "")
		listed := answerObservation(tc.order, gateway.Result{Status: gateway.StatusSucceeded}, nil, 1, epoch)
		require.Equal(t, StatusSucceeded, listed.Status)
	}
}

// What is written down of a call: how it ended, and of an error its kind, code and what the provider said.
func TestWhatIsWrittenDownOfACall(t *testing.T) {
	t.Parallel()
	said := gateway.ProviderData{"status": "7"}
	for _, tc := range []struct {
		result  gateway.Result
		err     error
		outcome string
		data    gateway.ProviderData
	}{
		{gateway.Result{Status: gateway.StatusFailed, ProviderData: said}, nil, "failed", said},
		{gateway.Result{ProviderData: said}, nil, "not_understood", said},
		{gateway.Result{}, &gateway.Error{Kind: gateway.KindDeclined}, "declined", gateway.ProviderData{"outcome": "declined"}},
		{
			gateway.Result{},
			&gateway.Error{Kind: gateway.KindDeclined, Code: "LIMIT", ProviderData: said},
			"declined",
			gateway.ProviderData{"outcome": "declined", "code": "LIMIT", "status": "7"},
		},
		{gateway.Result{}, context.DeadlineExceeded, "unknown", gateway.ProviderData{"outcome": "unknown", "timeout": "true"}},
		{gateway.Result{}, errors.New("broken"), "unknown", gateway.ProviderData{"outcome": "unknown"}},
	} {
		require.Equal(t, tc.outcome, outcomeOf(tc.result, tc.err))
		require.Equal(t, tc.data, providerDataOf(tc.result, tc.err))
	}
}
