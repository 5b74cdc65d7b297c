package uapay

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func callbackClaims() map[string]any {
	return map[string]any{
		"paymentId": testPayment, "invoiceId": testInvoice, "externalId": "ord-1001", "paymentNumber": 249503,
		"cardFromMasked": "4111111111", "cardToMasked": nil, "amount": 25000, "status": "FINISHED", "type": "PAY", "systemType": "ECOM",
		"paymentStatus": "FINISHED", "receiptPath": "https://api.demo.uapay.ua/receipt.pdf", "extraInfo": "{}",
	}
}

func sealed(t testing.TB, claims map[string]any) gateway.RawCallback {
	t.Helper()
	data, err := json.Marshal(claims)
	require.NoError(t, err)
	return rawCallback(sealToken([]byte(testKey), data))
}

func TestCallbackOfAHoldByTheLastOperation(t *testing.T) {
	t.Parallel()
	claims := callbackClaims()
	claims["type"], claims["status"], claims["paymentStatus"] = "HOLD", "PAID", "HOLDED"
	n, err := open(t, account("")).ReadCallback(sealed(t, claims))
	require.NoError(t, err)
	for op, want := range map[gateway.Operation]gateway.Status{
		gateway.OpAuthorize: gateway.StatusAuthorized, gateway.OpSale: gateway.StatusProcessing,
		gateway.OpCapture: gateway.StatusProcessing, gateway.OpCancel: gateway.StatusProcessing,
	} {
		require.Equal(t, want, n.ResultFor(op).Status, op)
	}
}

// What is under way is nothing to hold on to: another payment of the invoice may bring the money.
func TestACallbackOfAPaymentUnderWayNamesNone(t *testing.T) {
	t.Parallel()
	for paymentStatus, want := range map[string]string{"PENDING": "", "FINISHED": testPayment} {
		claims := callbackClaims()
		claims["status"], claims["paymentStatus"] = map[string]string{"PENDING": "NEW", "FINISHED": "FINISHED"}[paymentStatus], paymentStatus
		n, err := open(t, account("")).ReadCallback(sealed(t, claims))
		require.NoError(t, err)
		require.Empty(t, n.VerifyReason, paymentStatus)
		require.Equal(t, want, n.Result.State[statePayment].Reveal(), paymentStatus)
		require.NotEmpty(t, n.Result.State[stateInvoice].Reveal())
	}
}

func TestCallbacksInVerification(t *testing.T) {
	t.Parallel()
	g := open(t, account(""))
	for name, change := range map[string]func(map[string]any){
		"no order":                func(c map[string]any) { delete(c, "externalId") },
		"an order of odd letters": func(c map[string]any) { c["externalId"] = "a b" },
		"no invoice":              func(c map[string]any) { delete(c, "invoiceId") },
		"no payment":              func(c map[string]any) { c["paymentId"] = nil },
		"no amount":               func(c map[string]any) { delete(c, "amount") },
		"negative amount":         func(c map[string]any) { c["amount"] = -25000 },
		"no system status":        func(c map[string]any) { delete(c, "paymentStatus") },
		"an unlisted status":      func(c map[string]any) { c["paymentStatus"] = "SOMETHING_NEW" },
		"the payer's turn":        func(c map[string]any) { c["paymentStatus"], c["status"] = "NEEDS_CONFIRMATION", "NEW" },
		"reversed":                func(c map[string]any) { c["paymentStatus"], c["status"] = "REVERSED", "REVERSED" },
		"returned":                func(c map[string]any) { c["paymentStatus"], c["status"] = "RETURNED", "REVERSED" },
		"a subscription":          func(c map[string]any) { c["type"] = "SUBSCRIBE" },
		"a transfer":              func(c map[string]any) { c["systemType"] = "P2P" },
		"other currency":          func(c map[string]any) { c["currency"] = 840 },
		"from the future":         func(c map[string]any) { c["iat"] = testNow.Unix() + 21 },
		"older than any retry":    func(c map[string]any) { c["iat"] = testNow.Add(-48*time.Hour).Unix() - 1 },
		"an odd time":             func(c map[string]any) { c["iat"] = "yesterday" },
	} {
		claims := callbackClaims()
		change(claims)
		n, err := g.ReadCallback(sealed(t, claims))
		require.NoError(t, err, name)
		require.NotEmpty(t, n.VerifyReason, name)
		require.Regexp(t, `^[a-z_]+$`, n.Rule, name)
		ordinary := name == "the payer's turn" || name == "reversed" || name == "returned" || name == "a subscription"
		require.Equal(t, ordinary, strings.HasPrefix(n.Rule, "asked_"), "%s: %s", name, n.Rule)
		require.Empty(t, n.Result.Status, name)
		require.Nil(t, n.Result.Amount, name)
		require.Empty(t, n.Statuses, name)
	}
	for name, iat := range map[string]any{
		"now": testNow.Unix(), "the limit": testNow.Unix() + 20, "text": fmt.Sprint(testNow.Unix()), "fraction": 1795219200.5,
		"the last retry": testNow.Add(-28 * time.Hour).Unix(), "as old as may be": testNow.Add(-48 * time.Hour).Unix(), "null": nil,
	} {
		claims := callbackClaims()
		claims["iat"] = iat
		n, err := g.ReadCallback(sealed(t, claims))
		require.NoError(t, err, name)
		require.Empty(t, n.VerifyReason, name)
	}
}

func TestMalformedCallbacks(t *testing.T) {
	t.Parallel()
	g := open(t, account(""))
	token := sealToken([]byte(testKey), []byte(`{"externalId":"ord-1001"}`))
	for name, body := range map[string]string{
		"nothing": "", "no object": `"` + token + `"`, "other member": `{"jwt":"` + token + `"}`, "wrong case": `{"Token":"` + token + `"}`,
		"two members": `{"token":"` + token + `","a":1}`, "twice": `{"token":"` + token + `","token":"` + token + `"}`,
		"a number": `{"token":1}`, "null": `{"token":null}`, "a tail": `{"token":"` + token + `"}x`, "two objects": `{"token":"` + token + `"}{}`,
		"a list": `[{"token":"` + token + `"}]`, "not a token": `{"token":"abc"}`, "plain claims": `{"externalId":"ord-1001"}`,
		"claims are a list": `{"token":"` + sealToken([]byte(testKey), []byte(`[]`)) + `"}`,
		"claims are null":   `{"token":"` + sealToken([]byte(testKey), []byte(`null`)) + `"}`,
		"half a sum":        `{"token":"` + sealToken([]byte(testKey), []byte(`{"amount":1.5}`)) + `"}`,
		"too long":          `{"token":"` + sealToken([]byte(testKey), []byte(`{"externalId":"ord-1001"}`)) + `"}` + strings.Repeat(" ", largestCallback),
	} {
		_, err := g.ReadCallback(gateway.RawCallback{Method: "POST", Body: []byte(body), ReceivedAt: testNow})
		require.Error(t, err, name)
		require.Equal(t, gateway.KindRejected, gateway.KindOf(err), name)
	}
	_, err := g.ReadCallback(gateway.RawCallback{Method: "GET", Body: rawCallback(token).Body})
	require.Error(t, err)
	require.Equal(t, gateway.KindRejected, gateway.KindOf(err))
}

// TestOneCallbackInManySpellings: the token is what was signed, and the body around it can be written in many ways.
func TestOneCallbackInManySpellings(t *testing.T) {
	t.Parallel()
	g := open(t, account(""))
	read := func(body string) gateway.Notification {
		n, err := g.ReadCallback(gateway.RawCallback{Method: "POST", Body: []byte(body), ReceivedAt: testNow})
		require.NoError(t, err, body)
		return n
	}
	body := string(sealed(t, callbackClaims()).Body)
	first := read(body)
	require.NotEmpty(t, first.Fingerprint)
	end := strings.LastIndexByte(body, '"')
	for name, repeated := range map[string]string{
		"blanks":             " {\n\t\"token\" :" + body[strings.IndexByte(body, ':')+1:] + "\r\n",
		"a letter escaped":   strings.Replace(body, `":"e`, `":"\u0065`, 1),
		"the key escaped":    strings.Replace(body, `"token"`, `"\u0074oken"`, 1),
		"a line in the seal": body[:end-5] + `\r\n` + body[end-5:],
	} {
		require.NotEqual(t, body, repeated, name)
		require.Equal(t, first, read(repeated), name)
	}
	claims := callbackClaims()
	claims["amount"] = 24999
	require.NotEqual(t, first.Fingerprint, read(string(sealed(t, claims).Body)).Fingerprint)
}

func FuzzReadCallback(f *testing.F) {
	for _, v := range loadVectors(f) {
		if strings.HasPrefix(v.Method, "callback") {
			f.Add([]byte(v.Request))
		}
	}
	g := open(f, account(""))
	f.Fuzz(func(t *testing.T, body []byte) {
		raw := gateway.RawCallback{Method: "POST", Body: body, ReceivedAt: testNow}
		n, err := g.ReadCallback(raw)
		repeated, err2 := g.ReadCallback(raw)
		require.Equal(t, n, repeated)
		require.Equal(t, err == nil, err2 == nil)
		if err != nil {
			require.Contains(t, []gateway.ErrorKind{gateway.KindRejected, gateway.KindInvalidSignature}, gateway.KindOf(err))
			require.Empty(t, n)
			return
		}
		// Believed: the signature must hold when it is computed from the body's own token.
		var outer map[string]string
		require.NoError(t, json.Unmarshal(body, &outer))
		text, signature, ok := strings.Cut(outer["token"], ".")
		require.True(t, ok)
		payload, signature, ok := strings.Cut(signature, ".")
		require.True(t, ok)
		require.Equal(t, encoding.EncodeToString(mac([]byte(testKey), text+"."+payload)), signature)
		if n.VerifyReason != "" {
			require.Empty(t, n.Result.Status)
			require.Nil(t, n.Result.Amount)
		}
	})
}
