package payment

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// codeStore is a pollStore some of whose rows cannot be read.
type codeStore struct {
	pollStore
	noOrder, noAccount, noUpdate error
}

func (s *codeStore) Order(ctx context.Context, key Key) (*Order, error) {
	if s.noOrder != nil {
		return nil, s.noOrder
	}
	return s.pollStore.Order(ctx, key)
}

func (s *codeStore) Account(ctx context.Context, id uuid.UUID) (Account, error) {
	if s.noAccount != nil {
		return Account{}, s.noAccount
	}
	return s.pollStore.Account(ctx, id)
}

func (s *codeStore) UpdateOrder(ctx context.Context, key Key, fn func(*Order) error) (*Order, error) {
	if s.noUpdate != nil {
		return nil, s.noUpdate
	}
	return s.pollStore.UpdateOrder(ctx, key, fn)
}

// awaitsCode returns an order whose customer may try a code so many times more.
func awaitsCode(t testing.TB, attempts int) *Order {
	o := newTestOrder()
	o.Provider = "fake"
	require.Equal(t, Apply, o.Record(Observation{
		Source: SourceAnswer, Status: StatusRequiresAction, AsOf: o.Sequence, At: epoch,
		NextAction: &gateway.NextAction{Type: gateway.ActionConfirmCode, AttemptsLeft: &attempts},
	}))
	return o
}

// confirming returns a service whose provider gives one answer to a code.
func confirming(store Store, answer func() (gateway.Result, error)) (*Service, *gatewaytest.Fake) {
	fake := &gatewaytest.Fake{ConfirmCodeFunc: func(context.Context, gateway.Ref, gateway.Secret) (gateway.Result, error) { return answer() }}
	return New(Config{Store: store, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return epoch }, ProviderTimeout: time.Second}), fake
}

// Only what the provider says of the order ends it. What is wrong with the code, or with the way to the provider, is said to
// the shop, with what to do.
func TestWhatBecomesOfACode(t *testing.T) {
	t.Parallel()
	refused := func(kind gateway.ErrorKind, code string) error {
		return &gateway.Error{Kind: kind, Op: "confirm_code", Code: code}
	}
	one, three := 1, 3
	nextTry := func(left *int) gateway.Result {
		return gateway.Result{Status: gateway.StatusRequiresAction, NextAction: &gateway.NextAction{Type: gateway.ActionConfirmCode, AttemptsLeft: left}}
	}
	redirects := gateway.Result{Status: gateway.StatusRequiresAction, NextAction: &gateway.NextAction{Type: gateway.ActionRedirect}}
	for name, c := range map[string]struct {
		result  gateway.Result
		err     error
		code    Code
		message string
		status  Status
	}{
		"right":                       {result: gateway.Result{Status: gateway.StatusSucceeded}, status: StatusSucceeded},
		"taken, and not ended":        {result: gateway.Result{Status: gateway.StatusProcessing}, status: StatusProcessing},
		"another step follows":        {result: redirects, status: StatusRequiresAction},
		"refused as the last attempt": {result: gateway.Result{Status: gateway.StatusFailed}, status: StatusFailed},
		"asked for once more":         {result: nextTry(&three), code: CodeWrongCode, message: "3 attempts are left", status: StatusRequiresAction},
		"asked for a last time":       {result: nextTry(&one), code: CodeWrongCode, message: "1 attempt is left", status: StatusRequiresAction},
		"asked for, uncounted":        {result: nextTry(nil), code: CodeWrongCode, message: "Ask the customer again.", status: StatusRequiresAction},
		"wrong":                       {err: refused(gateway.KindDeclined, "WRONG"), code: CodeWrongCode, message: "2 attempts are left", status: StatusRequiresAction},
		"no code at all":              {err: refused(gateway.KindInvalid, ""), code: CodeWrongCode, message: "2 attempts are left", status: StatusRequiresAction},
		"its key is lost":             {err: refused(gateway.KindInvalid, gateway.CodeKeyLost), code: CodeInvalidState, message: "start a new one", status: StatusRequiresAction},
		"not tried":                   {err: refused(gateway.KindDeclined, gateway.CodeNotTried), code: CodeProviderFailed, message: "counted no attempt", status: StatusRequiresAction},
		"not sent":                    {err: refused(gateway.KindNotSent, ""), code: CodeProviderFailed, message: "did not reach", status: StatusRequiresAction},
		"account refused":             {err: refused(gateway.KindCredentials, ""), code: CodeProviderFailed, message: "did not reach", status: StatusRequiresAction},
		"answer lost":                 {err: refused(gateway.KindUnknown, ""), status: StatusProcessing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &codeStore{pollStore: pollStore{order: awaitsCode(t, 2)}}
			s, fake := confirming(store, func() (gateway.Result, error) { return c.result, c.err })
			o, err := s.ConfirmCode(t.Context(), store.order.Key(), "123456")
			require.Equal(t, []string{"ConfirmCode"}, fake.Calls())
			require.Equal(t, c.status, store.order.Status)
			require.Equal(t, "confirm_code", store.order.NewCalls()[0].Operation, "it is written down")
			if c.code != "" {
				require.Equal(t, c.code, CodeOf(err))
				require.ErrorContains(t, err, c.message)
				return
			}
			require.NoError(t, err)
			require.Same(t, store.order, o)
			require.Equal(t, c.err != nil, o.StatusReason == codeLost)
		})
	}
}

// Nothing is sent about an order that does not wait for a code.
func TestACodeThatNobodyAskedForIsNotSent(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	for name, c := range map[string]struct {
		change func(*codeStore)
		code   Code
		err    error
		sent   bool
	}{
		"no such order":     {change: func(s *codeStore) { s.noOrder = ErrNotFound }, err: ErrNotFound},
		"a payout card":     {change: func(s *codeStore) { s.order.Kind = gateway.KindPayoutCard }, err: ErrNotFound},
		"no such account":   {change: func(s *codeStore) { s.noAccount = gone }, err: gone},
		"a redirect":        {change: func(s *codeStore) { s.order.NextAction.Type = gateway.ActionRedirect }, code: CodeInvalidState},
		"no action":         {change: func(s *codeStore) { s.order.NextAction = nil }, code: CodeInvalidState},
		"taken already":     {change: func(s *codeStore) { s.order.step(StatusProcessing, SourceAnswer, nil, epoch) }, code: CodeInvalidState},
		"cannot be written": {change: func(s *codeStore) { s.noUpdate = gone }, err: gone, sent: true},
	} {
		store := &codeStore{pollStore: pollStore{order: awaitsCode(t, 2)}}
		s, fake := confirming(store, func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusSucceeded}, nil })
		c.change(store)
		_, err := s.ConfirmCode(t.Context(), store.order.Key(), "123456")
		if c.err != nil {
			require.ErrorIs(t, err, c.err, name)
		} else {
			require.Equal(t, c.code, CodeOf(err), name)
		}
		require.Equal(t, c.sent, len(fake.Calls()) > 0, name)
	}
	store := &pollStore{order: awaitsCode(t, 2)}
	for code, fake := range map[Code]*gatewaytest.Fake{
		CodeUnsupported: {Plain: true},
		CodeOf(gone):    {OpenFunc: func(gateway.Account) error { return gone }},
	} {
		s := New(Config{Store: store, Drivers: gateway.NewRegistry(fake)})
		_, err := s.ConfirmCode(t.Context(), store.order.Key(), "123456")
		require.Error(t, err)
		require.Equal(t, code, CodeOf(err))
		require.Empty(t, fake.Calls())
	}
}

// The callback that the last wrong code set off comes before the answer, which alone says why the order failed. Whatever else
// ended the order keeps its reason, and the shop is told the order's end and no error.
func TestAnAnswerToACodeAfterTheOrdersEnd(t *testing.T) {
	t.Parallel()
	wrong := &gateway.Failure{Category: gateway.FailureAuthentication, Code: "3DS"}
	vague := &gateway.Failure{Category: gateway.FailureUnknown}
	fraud := &gateway.Failure{Category: gateway.FailureFraud}
	other := &gateway.Failure{Category: gateway.FailureFraud}
	for name, c := range map[string]struct {
		end    Status
		ended  *gateway.Failure
		answer *gateway.Failure
		err    error
		want   *gateway.Failure
	}{
		"the callback knows no reason":       {StatusFailed, vague, wrong, nil, wrong},
		"the callback knows another":         {StatusFailed, fraud, wrong, nil, fraud},
		"the answer is about something else": {StatusFailed, vague, other, nil, vague},
		"the answer says nothing":            {StatusFailed, vague, nil, nil, vague},
		"it was canceled":                    {StatusCanceled, nil, wrong, nil, nil},
		"the answer is an error":             {StatusFailed, vague, nil, &gateway.Error{Kind: gateway.KindDeclined}, vague},
		"the answer is lost":                 {StatusFailed, vague, nil, &gateway.Error{Kind: gateway.KindUnknown}, vague},
	} {
		store := &pollStore{order: awaitsCode(t, 1)}
		s, _ := confirming(store, func() (gateway.Result, error) {
			store.order.Record(Observation{Source: SourceCallback, Status: c.end, Failure: c.ended, At: epoch})
			return gateway.Result{Status: gateway.StatusFailed, Failure: c.answer}, c.err
		})
		o, err := s.ConfirmCode(t.Context(), store.order.Key(), "123456")
		require.NoError(t, err, name)
		require.Equal(t, c.end, o.Status, name)
		require.Equal(t, c.want, o.Failure, name)
		require.Nil(t, o.NextPollAt, name)
	}
}

// A provider whose clock differs from ours refuses every code. That is no fault of the customer.
func TestACodeRefusedForTheClockIsNotWrong(t *testing.T) {
	t.Parallel()
	store := &pollStore{order: awaitsCode(t, 2)}
	s, _ := confirming(store, func() (gateway.Result, error) {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindDeclined, Code: gateway.CodeClock}
	})
	_, err := s.ConfirmCode(t.Context(), store.order.Key(), "123456")
	require.Equal(t, CodeProviderFailed, CodeOf(err))
	require.ErrorContains(t, err, "The code was not tried.")
	require.Equal(t, StatusRequiresAction, store.order.Status)
}
