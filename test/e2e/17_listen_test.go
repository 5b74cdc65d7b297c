package e2e

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
)

// listening is a running `server listen`.
type listening struct {
	out, complaints *lockedBuffer
	stop            func() int
}

func (d *dev) listen(args ...string) *listening {
	ctx, cancel := context.WithCancel(context.Background())
	l := &listening{out: &lockedBuffer{}, complaints: &lockedBuffer{}}
	done := make(chan int, 1)
	go func() {
		done <- app.Execute(ctx, append([]string{"listen"}, args...), &app.Streams{Out: l.out, Err: l.complaints, Environ: []string{"PAYRELAY_KEY=" + d.ShopKey}})
	}()
	l.stop = func() int { cancel(); return <-done }
	eventually(d.t, func() bool { return strings.Contains(l.out.String(), "Ctrl-C") })
	return l
}

// A developer's endpoint gets what happens from now on, verifies it with the secret that was printed, and gets again what it failed to take.
// An outage of the service in between changes nothing.
func TestListenForwardsWhatHappens(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	api, err := url.Parse(d.API)
	require.NoError(t, err)
	var away atomic.Bool
	var refused atomic.Int32
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(api) }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			if refused.Add(1) > 1 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusRequestTimeout)
			_, _ = io.WriteString(w, `{"code": "request_timeout", "detail": "The body came too slowly."}`)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	earlier := d.create("before-listen")
	d.pay(earlier.NextAction.URL, cardSuccess, "")
	d.await(earlier.ID, "succeeded")

	e := newEndpoint(t)
	var failures atomic.Int32
	e.answer = func(string) int {
		if failures.Add(1) == 1 {
			return http.StatusInternalServerError
		}
		return http.StatusNoContent
	}
	l := d.listen("--url", front.URL, "--forward", e.URL+"/hook")
	secret := regexp.MustCompile(`whsec_\S+`).FindString(l.out.String())
	webhook, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NotEqual(t, d.WebhookSecret, secret, "it is a fresh one")

	o := d.create("listened")
	d.pay(o.NextAction.URL, cardSuccess, "")
	eventually(t, func() bool { return len(e.of(o.ID)) == d.get(o.ID).Sequence-1 && d.get(o.ID).Status == "succeeded" })
	inOrder(t, e.of(o.ID), d.get(o.ID).Sequence)
	for _, n := range e.of(o.ID) {
		require.Equal(t, "/hook", n.Path)
		require.NoError(t, webhook.Verify(n.Body, n.Header))
	}
	require.Empty(t, e.of(earlier.ID), "it begins at now")
	require.Regexp(t, `payment\.requires_action +order `+o.ID+` "listened" 1000 EUR -> 500 in \d+ ms: again in 1s\n`, l.out.String())
	require.Regexp(t, `payment\.succeeded +order `+o.ID+` "listened" 1000 EUR -> 204 in \d+ ms\n`, l.out.String())

	away.Store(true)
	eventually(t, func() bool { return strings.Contains(l.complaints.String(), "Trying again") })
	missed := d.create("while-away")
	away.Store(false)
	eventually(t, func() bool { return len(e.of(missed.ID)) > 0 })
	require.Contains(t, l.complaints.String(), "The service answers again.")
	require.Zero(t, l.stop(), "%s", l.complaints)

	l = d.listen("--url", d.API, "--since", "1h")
	eventually(t, func() bool { return strings.Contains(l.out.String(), missed.ID) })
	require.Regexp(t, `payment\.succeeded +order `+earlier.ID, l.out.String(), "nothing is forwarded, all is printed")
	require.Zero(t, l.stop())
}

// What keeps it from listening is said in one sentence.
func TestListenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"does not take the key: give a live key of the shop with PAYRELAY_KEY or --key", []string{"--url", d.API, "--key", "prk_live_wrong"}},
		{"nobody listens at http://127.0.0.1:1: start 'server dev' there, or name the service with --url", []string{"--url", "http://127.0.0.1:1"}},
		{"there is no host nowhere.invalid: mend --url", []string{"--url", "https://nowhere.invalid"}},
		{"is not payrelay: mend --url", []string{"--url", d.Sandbox}},
		{"--url must begin with https://", []string{"--url", "http://pay.example.com"}},
		{"--forward: must be a full address", []string{"--url", d.API, "--forward", "localhost:3000"}},
		{"--secret is no webhook secret", []string{"--url", d.API, "--forward", "http://localhost:3000", "--secret", "whsec_"}},
	} {
		code, _, text := command(nil, append([]string{"listen"}, c.args...)...)
		require.Equal(t, 1, code, "%q", c.args)
		require.Contains(t, text, c.want, "%q", c.args)
		require.Len(t, strings.Split(strings.TrimSpace(text), "\n"), 1, "one sentence")
	}
}
