package payment

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// A question that a shop waits for takes no longer than a call that may move money, and 10 s by itself.
func TestTheTimesOfCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ provider, check, wantProvider, wantCheck time.Duration }{
		{0, 0, 30 * time.Second, 10 * time.Second},
		{-1, -1, 30 * time.Second, 10 * time.Second},
		{5 * time.Second, 0, 5 * time.Second, 5 * time.Second},
		{time.Minute, 20 * time.Second, time.Minute, 20 * time.Second},
		{15 * time.Second, 15 * time.Second, 15 * time.Second, 15 * time.Second},
		{15 * time.Second, 16 * time.Second, 15 * time.Second, 10 * time.Second},
	} {
		s := New(Config{ProviderTimeout: c.provider, CheckTimeout: c.check})
		require.Equal(t, c.wantProvider, s.ProviderTimeout, c)
		require.Equal(t, c.wantCheck, s.CheckTimeout, c)
	}
	require.Equal(t, time.Millisecond, New(Config{Schedule: Schedule{time.Millisecond}}).Schedule[0])
	require.Equal(t, uuid.Max, New(Config{NewID: func() uuid.UUID { return uuid.Max }}).NewID())
}

// An operator is called for an account whose secret the provider does not share, and for nothing else.
func TestRefusedCredentialsCallAnOperator(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		&gateway.Error{Kind: gateway.KindCredentials}:                          true,
		&gateway.Error{Kind: gateway.KindUnknown, Code: gateway.CodeNotSigned}: true,
		&gateway.Error{Kind: gateway.KindDeclined, Code: gateway.CodeClock}:    false,
		&gateway.Error{Kind: gateway.KindUnknown}:                              false,
		errors.New("anything else"):                                            false,
	} {
		require.Equal(t, want, credentialsRefused(err), err)
	}
	require.False(t, credentialsRefused(nil))
}

// An account is opened once, and anew when an operator has changed its settings or secrets.
func TestAnAccountIsOpenedOnce(t *testing.T) {
	t.Parallel()
	opens := 0
	fake := &gatewaytest.Fake{
		Description: gateway.Description{VisibilityDelay: 7 * time.Second},
		OpenFunc:    func(gateway.Account) error { opens++; return nil },
	}
	a := Account{ID: uuid.New(), Provider: "fake", Settings: map[string]string{"url": "a"}, Secrets: map[string]gateway.Secret{"key": "a"}}
	for delay, want := range map[time.Duration]time.Duration{0: 7 * time.Second, time.Second: time.Second, -1: 7 * time.Second} {
		opens = 0
		s := New(Config{Drivers: gateway.NewRegistry(fake), VisibilityDelay: delay})
		for i, change := range []func(*Account){
			func(*Account) {},
			func(a *Account) { a.Settings = map[string]string{"url": "b"} },
			func(a *Account) { a.Secrets = map[string]gateway.Secret{"key": "b"} },
		} {
			now := a
			change(&now)
			for range 2 {
				gw, err := s.open(now)
				require.NoError(t, err)
				require.Equal(t, want, gw.description.VisibilityDelay, "the configured delay, or the provider's")
				require.Equal(t, i+1, opens)
			}
		}
	}
}
