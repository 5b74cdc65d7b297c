package uapay

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// framed returns the claims of a frame's address, whose signature must hold.
func framed(t *testing.T, base, address string) string {
	t.Helper()
	token, ok := strings.CutPrefix(address, base+"/api/iframe/")
	require.True(t, ok, address)
	claims, err := openToken([]byte(testKey), token)
	require.NoError(t, err)
	return string(claims)
}

func TestCardFrameClaims(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		req    gateway.CardFrameRequest
		method string
	}{
		{gateway.CardFrameRequest{}, "createCard"},
		{gateway.CardFrameRequest{Payout: true}, "createShortCard"},
		{gateway.CardFrameRequest{Redirect: true}, "createCard"},
		{gateway.CardFrameRequest{Payout: true, Redirect: true}, "createShortCard"},
	} {
		p := newProvider(t, nil)
		g := open(t, account(p.url))
		f, err := g.CardFrame(t.Context(), tc.req)
		require.NoError(t, err)
		require.Zero(t, f.ExpiresAt, "the provider does not say")
		require.JSONEq(t, `{"params":{"sessionId":"`+testSession+`","clientId":"90001","method":"`+tc.method+`","enableRedirectResponse":`+
			strconv.FormatBool(tc.req.Redirect)+`},"iat":1795219200}`, framed(t, p.url, f.URL))
		require.NotContains(t, f.URL, testKey)
		require.Empty(t, p.seen(), "nothing is called but the session")
	}
}

// The session is made once, shared with the calls, and renewed when its time is over.
func TestCardFrameSession(t *testing.T) {
	t.Parallel()
	made := 0
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		made++
		_, _ = w.Write([]byte(signed(`{"id":"session-` + strconv.Itoa(made) + `"}`)))
	}))
	g := open(t, account(url))
	at := func(now time.Time) string {
		g.now = func() time.Time { return now }
		f, err := g.CardFrame(t.Context(), gateway.CardFrameRequest{})
		require.NoError(t, err)
		var claims struct {
			Params struct{ SessionID string }
			IAT    int64
		}
		require.NoError(t, json.Unmarshal([]byte(framed(t, url, f.URL)), &claims))
		require.Equal(t, now.Unix(), claims.IAT)
		return claims.Params.SessionID
	}
	require.Equal(t, "session-1", at(testNow))
	require.Equal(t, "session-1", at(testNow.Add(sessionLife-time.Second)))
	require.Equal(t, "session-2", at(testNow.Add(sessionLife)))
	require.Equal(t, 2, made)
}

func TestCardFrameWithoutASession(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]gateway.ErrorKind{
		`!{"code":"TIMELIMIT_ERROR"}`: gateway.KindDeclined,
		`!{"code":"WHATEVER"}`:        gateway.KindCredentials,
		`{}`:                          gateway.KindNotSent,
	} {
		p := newProvider(t, map[string][]string{"sessions/create": {answer}})
		f, err := open(t, account(p.url)).CardFrame(t.Context(), gateway.CardFrameRequest{})
		require.Equal(t, want, gateway.KindOf(err), answer)
		require.Zero(t, f)
	}
}
