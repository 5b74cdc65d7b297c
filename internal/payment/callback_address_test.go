package payment

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// addressStore is a callbackStore that may know no such address. It keeps what it was given.
type addressStore struct {
	callbackStore
	failure error
	given   []Callback
}

func (s *addressStore) AccountByCallbackToken(ctx context.Context, token string) (Account, error) {
	if s.failure != nil {
		return Account{}, s.failure
	}
	return s.callbackStore.AccountByCallbackToken(ctx, token)
}

func (s *addressStore) ApplyCallback(ctx context.Context, cb Callback, pick func([]RefundFacts) *RefundFacts, fn func(*Order) (Verdict, string)) (Verdict, bool, error) {
	s.given = append(s.given, cb)
	return s.callbackStore.ApplyCallback(ctx, cb, pick, fn)
}

// A callback that came to no address of ours, or that cannot be believed, reaches no order, and the provider is told why.
func TestACallbackThatIsNotTakenIn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		provider      string
		address, read error
		want          Code
		counted       bool // as rejected
	}{
		"taken in":                      {provider: "fake"},
		"an address of nobody":          {provider: "fake", address: ErrNotFound, want: CodeCallbackUnknown},
		"another provider's address":    {provider: "other", want: CodeCallbackUnknown},
		"the database is away":          {provider: "fake", address: errDatabaseDown, want: CodeUnavailable},
		"its signature does not hold":   {provider: "fake", read: &gateway.Error{Kind: gateway.KindInvalidSignature}, want: CodeCallbackForged, counted: true},
		"it is no callback":             {provider: "fake", read: &gateway.Error{Kind: gateway.KindInvalid}, want: CodeCallbackMalformed, counted: true},
		"another provider's, and wrong": {provider: "other", read: &gateway.Error{Kind: gateway.KindInvalid}, want: CodeCallbackUnknown},
	} {
		o := orderIn(t, StatusProcessing)
		o.Provider, o.AccountID = "fake", uuid.New()
		store := &addressStore{callbackStore: callbackStore{pollStore: pollStore{order: o}}, failure: tc.address}
		fake := &gatewaytest.Fake{ReadCallbackFunc: func(gateway.RawCallback) (gateway.Notification, error) {
			return gateway.Notification{OrderID: "o", Result: gateway.Result{Status: gateway.StatusSucceeded}}, tc.read
		}}
		var events []Event
		s := New(Config{Store: store, Drivers: gateway.NewRegistry(fake), Observe: func(e Event) { events = append(events, e) }})
		verdict, err := s.HandleCallback(t.Context(), tc.provider, "token", gateway.RawCallback{Body: []byte("body")})
		require.Equal(t, tc.want, CodeOf(err), name)
		if tc.want == "" {
			require.NoError(t, err, name)
			require.Equal(t, Apply, verdict, name)
			require.Equal(t, StatusSucceeded, o.Status, name)
			continue
		}
		require.Empty(t, store.given, name)
		require.Equal(t, StatusProcessing, o.Status, name)
		require.Equal(t, tc.counted, len(events) == 1 && events[0].Callback == CallbackRejected, name)
	}
}

// Two callbacks are one if the same was signed on the same account, however their bodies are written. Without anything signed apart
// from the body, the body tells.
func TestWhichCallbacksAreOne(t *testing.T) {
	t.Parallel()
	account := Account{ID: uuid.New(), Provider: "fake"}
	key := func(a Account, fingerprint, body string) string {
		return string(dedupeKey(a, gateway.Notification{Fingerprint: []byte(fingerprint)}, gateway.RawCallback{Body: []byte(body)}))
	}
	require.Equal(t, key(account, "signed", "body"), key(account, "signed", "body written otherwise"))
	require.NotEqual(t, key(account, "signed", "body"), key(account, "other", "body"))
	require.Equal(t, key(account, "", "body"), key(account, "", "body"))
	require.NotEqual(t, key(account, "", "body"), key(account, "", "other body"))
	require.NotEqual(t, key(account, "signed", "body"), key(Account{ID: uuid.New(), Provider: "fake"}, "signed", "body"))
	require.NotEqual(t, key(account, "signed", "body"), key(Account{ID: account.ID, Provider: "other"}, "signed", "body"))
}

// A callback that knows a payment by another of the provider's ids is settled by asking. Where either names none there is nothing to
// compare, and what else makes money has no such id in its callbacks.
func TestACallbackOfAnotherProvidersID(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind            gateway.Kind
		known, reported string
		rule            string
	}{
		{gateway.KindPayment, "p-1", "p-2", ruleOtherOrder},
		{gateway.KindPayment, "p-1", "p-1", ""},
		{gateway.KindPayment, "p-1", "", ""},
		{gateway.KindPayment, "", "p-2", ""},
		{gateway.KindPayment, "", "", ""},
		{gateway.KindPayout, "p-1", "p-2", ""},
	} {
		o := orderIn(t, StatusProcessing)
		o.Kind, o.ProviderReference = tc.kind, tc.known
		rule, reason := New(Config{}).unverified(o, gateway.Notification{}, Observation{Source: SourceCallback, Status: StatusSucceeded, ProviderReference: tc.reported})
		require.Equal(t, tc.rule, rule, "%+v", tc)
		require.Equal(t, tc.rule != "", reason != "", "%+v", tc)
	}
}
