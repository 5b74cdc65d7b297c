package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/secrets"
	"payrelay/internal/store/storetest"
)

// A developer's own endpoint gets what the shop is told, and the secret that `dev` hands out verifies it.
func TestDevSendsNotificationsToAnEndpointOfOnesOwn(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	d := startDevWith(t, storetest.URL(t), nil, "--notify", e.URL+"/hook")
	require.Equal(t, e.URL+"/hook", d.NotificationURL)
	webhook, err := standardwebhooks.NewWebhook(d.WebhookSecret)
	require.NoError(t, err)
	require.Regexp(t, `^whsec_`, d.WebhookSecret)

	o := d.create("own-endpoint")
	d.pay(o.NextAction.URL, cardSuccess, "")
	d.await(o.ID, "succeeded")
	eventually(t, func() bool { return len(e.of(o.ID)) >= 2 })
	for _, n := range e.of(o.ID) {
		require.Equal(t, "/hook", n.Path)
		require.NoError(t, webhook.Verify(n.Body, n.Header))
	}
	require.Equal(t, "payment.requires_action", e.typesOf(o.ID)[0])
	require.Contains(t, e.typesOf(o.ID), "payment.succeeded")
	require.Empty(t, d.arrivals(o.ID), "the demo shop's page hears nothing")
}

func TestDevRefusesAnEndpointThatCannotBeCalled(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"127.0.0.1:3000", "ftp://127.0.0.1/", "https://user@127.0.0.1/", "http://127.0.0.1:3000/#x"} {
		code, _, text := command([]string{"DATABASE_URL=" + "postgres://nobody@127.0.0.1:1/none"}, "dev", "--data", t.TempDir(), "--notify", url)
		require.Equal(t, 1, code, url)
		require.Contains(t, text, "--notify: ", url)
	}
}

// A person reads the secret beside the key, and programs in the file that operators' commands use.
func TestDevPrintsTheWebhookSecretBesideTheKey(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	data, out, logged, done := t.TempDir(), &lockedBuffer{}, &lockedBuffer{}, make(chan int, 1)
	go func() {
		done <- app.Execute(ctx, []string{
			"dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", "127.0.0.1:0", "--shop", "127.0.0.1:0", "--data", data,
		}, &app.Streams{Out: out, Err: logged, Environ: []string{"DATABASE_URL=" + storetest.URL(t)}})
	}()
	eventually(t, func() bool { return strings.Contains(out.String(), "Ctrl-C") })
	require.Empty(t, logged.String(), "a first start warns of nothing")
	file, err := os.ReadFile(filepath.Join(data, "dev.json"))
	require.NoError(t, err)
	stop()
	<-done
	require.NoFileExists(t, filepath.Join(data, "dev.json"), "nobody is there any more")
	var ready app.Ready
	require.NoError(t, json.Unmarshal(file, &ready))
	require.Regexp(t, `^whsec_`, ready.WebhookSecret)
	require.Regexp(t, `(?m)^The shop's key: +`+regexp.QuoteMeta(ready.ShopKey)+`$`, out.String())
	require.Regexp(t, `(?m)^Its webhook secret: +`+regexp.QuoteMeta(ready.WebhookSecret)+`$`, out.String())
	require.Contains(t, out.String(), ready.NotificationURL)
	require.Contains(t, out.String(), "--notify")
}

// The endpoint that README and guides name is a program of its own.
func TestTheReceiverOfTheReadmeVerifiesNotifications(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	d := startDevWith(t, storetest.URL(t), nil, "--notify", "http://"+address+"/")

	program := filepath.Join(t.TempDir(), "receiver")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/receiver")
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	receiver := exec.CommandContext(t.Context(), program, "-listen", address)
	receiver.Env = append(os.Environ(), "WEBHOOK_SECRET="+d.WebhookSecret)
	lines, err := receiver.StdoutPipe()
	require.NoError(t, err)
	receiver.Stderr = &bytes.Buffer{}
	require.NoError(t, receiver.Start())
	eventually(t, func() bool {
		res, err := http.Post("http://"+address+"/", "application/json", strings.NewReader(`{"type":"payment.succeeded"}`))
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusUnauthorized
	})
	o := d.create("receiver")
	line, err := bufio.NewReader(lines).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "verified ")
	require.Contains(t, line, `"type":"payment.requires_action"`, "what was not signed is not printed")
	require.Contains(t, line, fmt.Sprintf(`"id":%q`, o.ID))
}

// A new shop has no account: that is what it hears, and what its operator is told to mend.
func TestAShopWithoutAnAccountHearsSo(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	other := d.otherShop()
	for _, currency := range []string{"EUR", "UAH"} {
		body := fmt.Sprintf(`{"reference":"first","amount":1000,"currency":%q,%s}`, currency, customer)
		d.problem(http.MethodPost, "/v1/payments", body, other, http.StatusUnprocessableEntity, "unknown_account")
		_, text := d.raw(http.MethodPost, "/v1/payments", body, other)
		require.Contains(t, string(text), "has no account at a provider yet")
	}
	require.Contains(t, d.operator("shop", "create", "third"), "account create … --shop third")
	d.operator("account", "link", "EUR-sandbox", "--shop", "other")
	res, text := d.raw(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"first","amount":1000,"currency":"EUR","description":"x",%s}`, customer), other)
	require.Equal(t, http.StatusCreated, res.StatusCode, "%s", text)
}

// An address that can never be called is refused before anything is stored, by every road that sets one.
func TestANotificationAddressThatCanNeverBeCalledIsRefused(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	other := d.otherShop() // without an allow-list
	d.operator("account", "link", "EUR-sandbox", "--shop", "other")
	for _, url := range []string{
		"https://10.0.0.1/h", "https://localhost/h", "https://localhost./h", "https://[::1]/h", "https://[::ffff:10.0.0.1]/h", "https://2130706433/h", "https://0x7f.1/h",
		"https://169.254.169.254/h", "https://[fd00::1]/h", "https://100.64.0.1/h", "http://shop.example.com/h", "https://shop.example.com:3000/h", "https://a:b@shop.example.com/h",
	} {
		body := fmt.Sprintf(`{"reference":"nowhere","amount":1000,"currency":"EUR","notification_url":%q,%s}`, url, customer)
		d.problem(http.MethodPost, "/v1/payments", body, other, http.StatusUnprocessableEntity, "invalid_request")
		environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
		for _, args := range [][]string{{"shop", "create", "nowhere", "--notification-url", url}, {"shop", "set", "other", "--notification-url", url}} {
			code, _, text := command(environ, args...)
			require.Equal(t, 1, code, "%v: %s", args, text)
			require.Contains(t, text, "otification", "%v", args)
		}
	}
	_, text := d.raw(http.MethodGet, "/v1/orders", "", other)
	require.Contains(t, string(text), `"data":[]`, "nothing was stored")
	require.NotContains(t, d.operator("shop", "list"), "nowhere")
}

// Why an attempt failed is shown to the shop and to operators.
func TestAnAttemptsCauseIsShown(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	d := startDev(t)
	e.answers(func(string) int { return http.StatusTeapot })
	refusing := d.createTo("teapot", e.URL+"/x")
	nowhere := d.createTo("closed", "http://127.0.0.1:1/x")
	for id, want := range map[string]struct{ result, status, url string }{
		refusing.ID: {"status", `"http_status":418`, e.URL + "/x"},
		nowhere.ID:  {"connect", `"http_status":null`, "http://127.0.0.1:1/x"},
	} {
		eventually(t, func() bool {
			_, text := d.raw(http.MethodGet, "/v1/orders/"+id+"/transitions", "", nil)
			return strings.Contains(string(text), `"result":"`+want.result+`"`) && strings.Contains(string(text), want.status) &&
				strings.Contains(string(text), `"state":"pending"`) && strings.Contains(string(text), want.url)
		})
		show := d.operator("order", "show", id)
		require.Contains(t, show, "2: attempt 1: "+want.result)
		require.Contains(t, show, ", to "+want.url)
	}
	e.answers(func(string) int { return http.StatusOK })
	eventually(t, func() bool {
		_, text := d.raw(http.MethodGet, "/v1/orders/"+refusing.ID+"/transitions", "", nil)
		return strings.Contains(string(text), `"state":"delivered"`) && strings.Contains(string(text), `"result":"delivered"`)
	})
}
