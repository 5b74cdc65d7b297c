package uapay

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// Every documented example of a call that payrelay makes is a drill: a call of the adapter that must send the example's
// request, member for member, and read its answer as the documents say. TestEveryVector fails if an example has no drill.

// notCalled are the examples of what payrelay does not ask for: the merchant API has no words for it.
var notCalled = []string{
	"invoice_create_p2p", "invoice_create_services", "invoice_update", "invoices_show_list_by_ids", "p2p_commission",
	"payment_show_commission", "subscription_update",
}

// drills are all of them, by the example's name.
func drills() map[string]func(*testing.T, vector) {
	all := map[string]func(*testing.T, vector){}
	for _, part := range []map[string]func(*testing.T, vector){tokenDrills(), invoiceDrills(), checkDrills(), paymentDrills(), transferDrills(), splitDrills(), callbackDrills()} {
		for name, drill := range part {
			if all[name] != nil {
				panic("two drills for " + name)
			}
			all[name] = drill
		}
	}
	return all
}

func TestEveryVector(t *testing.T) {
	t.Parallel()
	vectors, all := loadVectors(t), drills()
	for _, name := range notCalled {
		require.Contains(t, vectors, name)
		delete(vectors, name)
	}
	require.Equal(t, slices.Sorted(maps.Keys(vectors)), slices.Sorted(maps.Keys(all)), "an example without a drill, or a drill without an example")
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all[name](t, v)
		})
	}
}

// drill is what is done for an example of a call.
type drill struct {
	// call does what makes the adapter send the example's request.
	call func(ctx context.Context, g *Gateway) (gateway.Result, error)
	// more are the answers of other methods that the call needs, and then those of its own after the example's.
	more map[string][]string
	then []string
	// account changes the account's settings.
	account map[string]string
	// adjust changes the example's request where ours differs, for a reason that is said there.
	adjust func(params, data map[string]any)
	// status is what the result says where the documents' word says something else, for a reason that is said there.
	status gateway.Status
	// also looks further at the result.
	also func(t *testing.T, result gateway.Result)
}

func (d drill) play(t *testing.T, v vector) {
	path := strings.TrimPrefix(v.path(), "/api/")
	answers := map[string][]string{path: append([]string{v.answer(t)}, d.then...)}
	maps.Copy(answers, d.more)
	p := newProvider(t, answers)
	a := account(p.url)
	maps.Copy(a.Settings, d.account)
	result, err := d.call(t.Context(), open(t, a))
	require.NoError(t, err)

	seen := p.seen()
	i := slices.IndexFunc(seen, func(c seenCall) bool { return c.Path == path })
	require.GreaterOrEqual(t, i, 0, "%v", p.paths())
	var want struct{ Params, Data map[string]any }
	require.NoError(t, json.Unmarshal(v.Request, &want))
	want.Params["sessionId"] = testSession
	if d.adjust != nil {
		d.adjust(want.Params, want.Data)
	}
	require.Equal(t, want.Params, seen[i].Params)
	require.Equal(t, want.Data, seen[i].Data, "nothing, and an object without members, are not the same")

	word := v.Want
	if word == nil && v.Reread != "" {
		word = &v.Reread
	}
	status, refunded := neutral(t, word)
	if d.status != "" {
		require.NotEqual(t, status, d.status, "no exception is needed")
		status = d.status
	}
	require.Equal(t, status, result.Status)
	require.Equal(t, refunded, result.Refunded != nil)
	require.Equal(t, status == gateway.StatusFailed, result.Failure != nil)
	encoded, err := json.Marshal(result.ProviderData)
	require.NoError(t, err)
	for _, hidden := range []string{"SimKey", "UEFSR", "eJ", testKey} {
		require.NotContains(t, string(encoded), hidden, "keys and forms are no evidence")
	}
	if d.also != nil {
		d.also(t, result)
	}
}

// answer is the example's answer as the scripted provider wants it.
func (v vector) answer(t testing.TB) string {
	t.Helper()
	var r struct{ Data, Error json.RawMessage }
	require.NoError(t, json.Unmarshal(v.Response, &r))
	if len(r.Error) > 0 {
		return "!" + string(r.Error)
	}
	var sealed struct{ Token string }
	if len(r.Data) > 0 {
		require.NoError(t, json.Unmarshal(r.Data, &sealed))
	}
	if sealed.Token != "" {
		claims, err := openToken([]byte(testKey), sealed.Token)
		require.NoError(t, err)
		return string(claims)
	}
	return string(r.Data)
}

// neutral is how the documents' words read in payrelay's: initiated is the customer's turn on the provider's page, and
// refunded is a success of which everything went back.
func neutral(t testing.TB, word *string) (status gateway.Status, refunded bool) {
	if word == nil {
		return "", false
	}
	switch *word {
	case "initiated", "requires_action":
		return gateway.StatusRequiresAction, false
	case "cancelled":
		return gateway.StatusCanceled, false
	case "refunded":
		return gateway.StatusSucceeded, true
	case "processing", "authorized", "succeeded", "failed":
		return gateway.Status(*word), false
	}
	require.Fail(t, "unknown word", *word)
	return "", false
}

func operationFor(name string) gateway.Operation {
	if strings.Contains(name, "hold") {
		return gateway.OpAuthorize
	}
	return gateway.OpSale
}

// requireParams compares what was sent with the documented example.
func requireParams(t testing.TB, v vector, call seenCall) {
	t.Helper()
	var want struct{ Params map[string]any }
	require.NoError(t, json.Unmarshal(v.Request, &want))
	want.Params["sessionId"] = testSession
	require.Equal(t, want.Params, call.Params, v.Name)
	require.Equal(t, strings.TrimPrefix(v.path(), "/api/"), call.Path, v.Name)
}

// withCardNumber is the first documented 3-D Secure example as a bank really sends it: the message of 3-D Secure 1 holds
// the card number, compressed. The provider's own text is not kept, because it does; this one holds a test card.
func withCardNumber(t testing.TB, redacted vector) vector {
	t.Helper()
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, err := w.Write([]byte("<ThreeDSecure><Message><PAReq><CH><acctID>4111111111111111</acctID></CH></PAReq></Message></ThreeDSecure>"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	const placeholder = "UEFSRVEtUkVEQUNURUQ="
	require.Contains(t, string(redacted.Response), placeholder)
	redacted.Response = bytes.ReplaceAll(redacted.Response, []byte(placeholder), []byte(base64.StdEncoding.EncodeToString(packed.Bytes())))
	redacted.Name = "seed_checkstatus_3ds_needs_confirmation"
	return redacted
}

// tokenDrills are about sessions and signatures.
func tokenDrills() map[string]func(*testing.T, vector) {
	session := func(lenient bool, check func(t *testing.T, id string, err error)) func(*testing.T, vector) {
		return func(t *testing.T, v vector) {
			var request struct {
				Params map[string]any
				IAT    int64
				Token  string
			}
			require.NoError(t, json.Unmarshal(v.Request, &request))
			p := newProvider(t, map[string][]string{"sessions/create": {string(v.Response)}})
			p.raw = true
			a := account(p.url)
			a.Settings["require_signed_answers"] = fmt.Sprint(!lenient)
			g := open(t, a)
			if request.Params["clientId"] == nil {
				g.clientID = ""
			}
			if request.IAT != 0 {
				g.now = at(request.IAT)
			}
			id, _, err := g.session(t.Context(), 0)
			require.Equal(t, request.Params, p.seen()[0].Params)
			if request.Token != "" {
				require.JSONEq(t, string(v.Request), p.seen()[0].Body, "to the letter")
			}
			check(t, id, err)
		}
	}
	made := func(t *testing.T, id string, err error) {
		require.NoError(t, err)
		require.Equal(t, testSession, id)
	}
	refused := func(kind gateway.ErrorKind, code string) func(*testing.T, string, error) {
		return func(t *testing.T, _ string, err error) {
			require.Equal(t, kind, kindOf(t, err))
			require.Equal(t, code, asError(t, err).Code)
		}
	}
	forged := func(want error) func(*testing.T, vector) {
		return func(t *testing.T, v vector) {
			var request struct{ Token string }
			require.NoError(t, json.Unmarshal(v.Request, &request))
			_, err := openToken([]byte(testKey), request.Token)
			require.ErrorIs(t, err, want)
		}
	}
	return map[string]func(*testing.T, vector){
		"sessions_create_documented_flat":               session(true, made),
		"sessions_create_unsigned_live":                 session(true, made),
		"sessions_create_signed_live":                   session(false, made),
		"sessions_create_missing_client_id":             session(false, refused(gateway.KindCredentials, codeFormat)),
		"sessions_create_missing_client_id_with_status": session(false, refused(gateway.KindCredentials, codeFormat)),
		"any_method_stale_iat":                          session(false, refused(gateway.KindDeclined, gateway.CodeClock)),
		"signing_negative_bad_signature":                forged(errSignature),
		"signing_negative_alg_none":                     forged(errAlgorithm),
		"signing_negative_key_base64_decoded":           forged(errSignature),
		"signing_negative_hs512":                        forged(errAlgorithm),
	}
}
