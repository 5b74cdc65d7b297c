package smartcore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestReadCallbackVectors(t *testing.T) {
	t.Parallel()
	vectors := loadCases(t).Vectors
	require.Len(t, vectors, 55)
	counts := map[string]int{}
	for _, v := range vectors {
		counts[v.Disposition]++
		n, err := open(t, withCallbackSecret(v.Secret)).ReadCallback(rawCallback(v.Body))
		rule, _, _ := strings.Cut(v.Rule, " ")
		switch v.Disposition {
		case "accept":
			require.NoError(t, err, v.Name)
			require.Empty(t, n.VerifyReason, v.Name)
			fields, perr := url.ParseQuery(v.Body)
			require.NoError(t, perr)
			require.Equal(t, fields.Get("orderId"), n.OrderID, v.Name)
			require.NotNil(t, n.Result.Amount, v.Name)
		case "confirm":
			require.NoError(t, err, v.Name)
			require.Equal(t, rule, n.VerifyReason[:2], v.Name)
			require.Empty(t, n.Result.Status, v.Name+": what needs verification says nothing about money")
			require.Nil(t, n.Result.Amount, v.Name)
			require.Nil(t, n.Result.Settled, v.Name)
			require.Nil(t, n.Statuses, v.Name)
			require.NotEmpty(t, n.OrderID, v.Name+": a check needs to know the order")
		case "reject":
			var e *gateway.Error
			require.ErrorAs(t, err, &e, v.Name)
			require.Equal(t, rule, e.Code, v.Name)
			want := gateway.KindRejected
			if rule == "R7" {
				want = gateway.KindInvalidSignature
			}
			require.Equal(t, want, e.Kind, v.Name)
			require.Empty(t, n, v.Name)
		default:
			t.Fatalf("%s: disposition %q", v.Name, v.Disposition)
		}
	}
	require.Equal(t, map[string]int{"accept": 22, "confirm": 11, "reject": 22}, counts)
}

func TestReadCallbackRefusesOtherTransports(t *testing.T) {
	t.Parallel()
	v := loadCases(t).Vectors[0]
	gw := open(t, withCallbackSecret(v.Secret))
	good := rawCallback(v.Body)
	for name, change := range map[string]func(*gateway.RawCallback){
		"method":        func(r *gateway.RawCallback) { r.Method = "GET" },
		"no media type": func(r *gateway.RawCallback) { r.ContentType = "" },
		"JSON":          func(r *gateway.RawCallback) { r.ContentType = "application/json" },
		"charset":       func(r *gateway.RawCallback) { r.ContentType += "; charset=windows-1251" },
		"too long":      func(r *gateway.RawCallback) { r.Body = append(slices.Clone(r.Body), strings.Repeat("&a=b", 17<<10)...) },
	} {
		raw := good
		change(&raw)
		_, err := gw.ReadCallback(raw)
		var e *gateway.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, "R1", e.Code, name)
	}
	good.ContentType += "; charset=UTF-8"
	good.Query = url.Values{"orderId": {"other"}, "status": {"-1"}}
	n, err := gw.ReadCallback(good)
	require.NoError(t, err)
	require.Equal(t, "200004", n.OrderID, "the query string is not merged")
	require.Equal(t, gateway.StatusSucceeded, n.Result.Status)
}

func TestReadCallbackTranslates(t *testing.T) {
	t.Parallel()
	by := map[string]vector{}
	for _, v := range loadCases(t).Vectors {
		by[v.Name[:3]] = v
	}
	read := func(name string) gateway.Notification {
		n, err := open(t, withCallbackSecret(by[name].Secret)).ReadCallback(rawCallback(by[name].Body))
		require.NoError(t, err)
		return n
	}
	full, part := int64(1000), int64(900)

	n := read("P05")
	require.Equal(t, gateway.StatusSucceeded, n.Result.Status)
	require.Equal(t, gateway.KindPayment, n.Result.Kind)
	require.Equal(t, &full, n.Result.Amount)
	require.Equal(t, &full, n.Result.Settled)
	require.EqualValues(t, "EUR", n.Result.Currency)
	require.Equal(t, "401200******3010", n.Result.PaymentMethod.Masked)
	for _, value := range n.Result.ProviderData {
		require.NotContains(t, value, "John")
		require.NotContains(t, value, "Doe")
	}
	require.Equal(t, gateway.StatusAuthorized, n.ResultFor(gateway.OpAuthorize).Status, "2 after an authorize is a hold")
	require.Equal(t, gateway.StatusSucceeded, n.ResultFor(gateway.OpCapture).Status)
	require.Equal(t, gateway.StatusAuthorized, n.ResultFor(gateway.OpCancel).Status, "2 after a cancel is the hold, come late, or other money")

	require.Equal(t, &part, read("P18").Result.Settled)
	require.Equal(t, gateway.KindRefund, read("P19").Result.Kind)
	require.Equal(t, "sandboxId_1015", read("P19").OrderID, "a refund's callback names the payment")
	require.Nil(t, read("P19").Statuses)
	require.Equal(t, gateway.StatusProcessing, read("P20").Result.Status)
	require.Equal(t, &gateway.MaskedMethod{Type: "mobile", Masked: "***1576"}, read("P16").Result.PaymentMethod)

	n = read("P17")
	require.Equal(t, gateway.StatusFailed, n.Result.Status)
	require.Equal(t, gateway.FailureFraud, n.Result.Failure.Category, "refined by the cascade")
	require.Equal(t, "PLATFORM_ERROR_GATE_NOT_FOUND", n.Result.Failure.Code)
	require.Len(t, n.Result.Failure.Cascade, 2)
	require.Nil(t, n.Result.Settled)
	canceled := n.ResultFor(gateway.OpCancel)
	require.Equal(t, gateway.StatusCanceled, canceled.Status, "-1 after a cancel is its success")
	require.Nil(t, canceled.Failure)
}

// sign makes a callback the way the documents describe it, by other means than the code under test.
func sign(t testing.TB, secret string, fields map[string]string) string {
	t.Helper()
	var keys, values []string
	for key := range fields {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	form := url.Values{}
	for _, key := range keys {
		values = append(values, fields[key])
		form.Set(key, fields[key])
	}
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(strings.Join(values, "|")))
	form.Set("sign", hex.EncodeToString(h.Sum(nil)))
	return form.Encode()
}

func coreFields() map[string]string {
	return map[string]string{
		"amount": "1000", "authorize_status": "null", "cascadeErrors": "null", "currency": "EUR", "eci": "05", "finalAmount": "1000",
		"firstName": "John", "isTrustedTransaction": "false", "lastName": "Doe", "message": "null", "orderId": "A-1", "rrn": "318513456789",
		"status": "2", "type": "Payment",
	}
}

func TestReadCallbackVerificationsValuesThatDoNotFit(t *testing.T) {
	t.Parallel()
	gw := open(t, withCallbackSecret("s"))
	n, err := gw.ReadCallback(rawCallback(sign(t, "s", coreFields())))
	require.NoError(t, err)
	require.Empty(t, n.VerifyReason)
	for _, tc := range []struct{ key, value, rule string }{
		{"amount", "01000", "C4"},
		{"amount", "10.00", "C4"},
		{"amount", "-1", "C4"},
		{"amount", "null", "C4"},
		{"amount", "", "C4"},
		{"finalAmount", "1e3", "C4"},
		{"currency", "eur", "C4"},
		{"currency", "null", "C4"},
		{"status", "3", "C4"},
		{"status", "02", "C4"},
		{"status", " 2", "C4"},
		{"type", "payment", "C4"},
		{"type", "null", "C4"},
		{"isTrustedTransaction", "yes", "C4"},
		{"card_number", "4012000000003010", "C4"},
		{"card_exp_month", "2", "C4"},
		{"card_exp_year", "2027", "C4"},
		{"cascadeErrors", "x", "C4"},
		{"eci", "123", "C4"},
		{"rrn", "a b", "C4"},
		{"errorCategory", "lower", "C4"},
		{"paymentPhoneNumber", "7 712", "C4"},
		{"paymentPhoneNumber", "null", ""},
		{"paymentPhoneNumber", "N/A", ""},
		{"paymentPhoneNumber", "", ""},
		{"finalAmount", "0", "C7"},
		{"finalAmount", "1001", ""}, // payment judges sums: the adapter has no order
		{"orderId", "null", "C4"},
		{"orderId", "a b", "C4"},
		{"orderId", "Å", "C4"},
		{"errorCategory", "LIMIT_PROCESSING_ERROR", "C5"},
		{"firstName", "a|b", "C1"},
		{"extra", "1", "C2"},
		{"errorCategory", "null", ""},
		{"errorCategory", "N/A", ""},
		{"finalAmount", "null", ""},
		{"eci", "", ""},
	} {
		fields := coreFields()
		fields[tc.key] = tc.value
		n, err := gw.ReadCallback(rawCallback(sign(t, "s", fields)))
		require.NoError(t, err)
		if tc.rule == "" {
			require.Empty(t, n.VerifyReason, "%s=%q", tc.key, tc.value)
			continue
		}
		require.True(t, strings.HasPrefix(n.VerifyReason, tc.rule), "%s=%q: %q", tc.key, tc.value, n.VerifyReason)
		require.Equal(t, tc.rule, n.Rule)
		require.Empty(t, n.Result.Status)
	}
	for key := range coreFields() {
		fields := coreFields()
		delete(fields, key)
		n, err := gw.ReadCallback(rawCallback(sign(t, "s", fields)))
		require.NoError(t, err)
		require.Equal(t, "C3 without "+key, n.VerifyReason)
	}
}

// What a callback says was settled is passed on as it is: a sum that cannot be is for payment to judge.
func TestReadCallbackPassesOddSumsOn(t *testing.T) {
	t.Parallel()
	gw := open(t, withCallbackSecret("s"))
	read := func(change map[string]string) gateway.Notification {
		fields := coreFields()
		for key, value := range change {
			fields[key] = value
		}
		n, err := gw.ReadCallback(rawCallback(sign(t, "s", fields)))
		require.NoError(t, err)
		return n
	}
	for _, final := range []int64{1, 900, 1000, 1001, 999999} {
		n := read(map[string]string{"finalAmount": strconv.FormatInt(final, 10)})
		require.Empty(t, n.VerifyReason)
		require.Equal(t, final, *n.Result.Settled)
		require.EqualValues(t, 1000, *n.Result.Amount)
	}
	n := read(map[string]string{"finalAmount": "null"})
	require.Nil(t, n.Result.Settled)
	require.Equal(t, "no_final_amount", n.Rule)
	require.Nil(t, read(map[string]string{"finalAmount": "900", "status": "-1"}).Result.Settled, "a failure settles nothing")
	require.Empty(t, read(map[string]string{"amount": "0", "finalAmount": "0"}).VerifyReason, "a kept card has no sum")

	require.Equal(t, []string{"318513456789"}, read(nil).Result.BankReferences)
	for _, none := range []string{"null", "N/A", "", "4012000000003010"} {
		require.Empty(t, read(map[string]string{"rrn": none}).Result.BankReferences, none)
	}
}

// A form encoder that knows of structures writes a list in brackets. Such a body is genuine if its signature holds, and is
// settled by asking.
func TestReadCallbackTakesMembersOfCascadeErrors(t *testing.T) {
	t.Parallel()
	gw := open(t, withCallbackSecret("s"))
	read := func(keys ...string) (gateway.Notification, error) {
		fields := coreFields()
		delete(fields, "cascadeErrors")
		for _, key := range keys {
			fields[key] = "1"
		}
		return gw.ReadCallback(rawCallback(sign(t, "s", fields)))
	}
	for _, keys := range [][]string{
		{"cascadeErrors[0][gatePriority]", "cascadeErrors[0][errorCategory]"},
		{"cascadeErrors[0][gatePriority]", "cascadeErrors[1][gatePriority]"},
		{"cascadeErrors[]"},
		{"cascadeErrors[0]"},
	} {
		n, err := read(keys...)
		require.NoError(t, err, keys)
		require.Equal(t, "C2", n.Rule, keys)
		require.Equal(t, "A-1", n.OrderID, "the order is known, and can be asked about")
		require.Empty(t, n.Result.Status, keys)
		require.Nil(t, n.Result.Settled, keys)
	}
	for _, key := range []string{
		"status[]", "orderId[0]", "cascadeErrors[0", "cascadeErrors]0[", "cascadeErrors[0]x", "cascadeErrors[[0]]", "cascadeErrors[а]", "cascadeErrors[0|1]", "cascadeErrorsX[0]",
		"cascadeErrors" + strings.Repeat("[0]", 9), "cascadeErrors[" + strings.Repeat("a", 65) + "]", "xcascadeErrors[0]", "cascadeErrors[0]\n",
	} {
		_, err := read(key)
		var e *gateway.Error
		require.ErrorAs(t, err, &e, key)
		require.Equal(t, "R4", e.Code, key)
	}
	body := strings.Replace(sign(t, "s", map[string]string{"cascadeErrors[0]": "1"}), "=1", "=2", 1)
	_, err := gw.ReadCallback(rawCallback(body))
	require.Equal(t, gateway.KindInvalidSignature, gateway.KindOf(err))
}

func TestReadCallbackProviderDataHoldsNoNames(t *testing.T) {
	t.Parallel()
	fields := coreFields()
	for key, value := range map[string]string{
		"firstName": "canary", "lastName": "canary", "card_holder": "canary", "message": "canary 4012000000003010",
		"paymentPhoneOperator": "canary", "authorize_status": "canary", "card_number": "4012000000003010", "rrn": "4012000000003010",
	} {
		fields[key] = value
	}
	n, err := open(t, withCallbackSecret("s")).ReadCallback(rawCallback(sign(t, "s", fields)))
	require.NoError(t, err)
	for key, value := range n.Result.ProviderData {
		require.NotContains(t, value, "canary", key)
		require.NotContains(t, value, "4012000000003010", key)
	}
}

// TestOneCallbackInManySpellings: the signature covers the values alone, so one callback can be written in many ways that
// all verify. They are one callback.
func TestOneCallbackInManySpellings(t *testing.T) {
	t.Parallel()
	vectors := loadCases(t).Vectors
	v := vectors[slices.IndexFunc(vectors, func(v vector) bool { return strings.HasPrefix(v.Name, "P19") })]
	gw := open(t, withCallbackSecret(v.Secret))
	read := func(body string) gateway.Notification {
		n, err := gw.ReadCallback(rawCallback(body))
		require.NoError(t, err, body)
		return n
	}
	first := read(v.Body)
	require.NotEmpty(t, first.Fingerprint)
	form, err := url.ParseQuery(v.Body)
	require.NoError(t, err)
	sign, pairs := form.Get("sign"), strings.Split(v.Body, "&")
	slices.Reverse(pairs)
	for name, body := range map[string]string{
		"pairs in another order":   strings.Join(pairs, "&"),
		"digits in another case":   strings.Replace(v.Body, sign, strings.ToUpper(sign), 1),
		"a value with escapes":     strings.Replace(v.Body, "status=2", "status=%32", 1),
		"a key with escapes":       strings.Replace(v.Body, "status=2", "st%61tus=2", 1),
		"escapes in the signature": strings.Replace(v.Body, sign, "%"+hex.EncodeToString([]byte(sign[:1]))+sign[1:], 1),
	} {
		require.NotEqual(t, v.Body, body, name)
		require.Equal(t, first, read(body), name)
	}
	renamed := read(strings.Replace(v.Body, "rrn=", "phone=", 1))
	require.NotEmpty(t, renamed.VerifyReason)
	require.Equal(t, first.Fingerprint, renamed.Fingerprint, "names are not signed: it is the same callback, misread")
	other := vectors[slices.IndexFunc(vectors, func(v vector) bool { return strings.HasPrefix(v.Name, "P20") })]
	n, err := open(t, withCallbackSecret(other.Secret)).ReadCallback(rawCallback(other.Body))
	require.NoError(t, err)
	require.NotEqual(t, first.Fingerprint, n.Fingerprint)
}
