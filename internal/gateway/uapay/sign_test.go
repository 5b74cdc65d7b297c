package uapay

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDocumentedTokens(t *testing.T) {
	t.Parallel()
	signedOnes := 0
	for name, v := range loadVectors(t) {
		if v.Signing == nil {
			continue
		}
		require.Equal(t, testKey, v.Signing.Key)
		for token, claims := range map[string]json.RawMessage{v.Signing.RequestToken: v.Signing.RequestClaims, v.Signing.ResponseToken: v.Signing.ResponseClaims} {
			if token == "" {
				continue
			}
			signedOnes++
			got, err := openToken([]byte(testKey), token)
			require.NoError(t, err, name)
			require.JSONEq(t, string(claims), string(got), name)
			require.Equal(t, token, sealToken([]byte(testKey), got), name)
		}
	}
	require.Equal(t, 4, signedOnes)
}

func TestRequestIsSealedAsDocumented(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)["sessions_create_signed_live"]
	body, err := sealRequest([]byte(testKey), &clientParams{ClientID: "90001"}, nil, 1795219200)
	require.NoError(t, err)
	require.JSONEq(t, string(v.Request), string(body))
	body, err = sealRequest([]byte(testKey), &idParams{ID: "a<b>&c"}, nothing{}, 1)
	require.NoError(t, err)
	require.Contains(t, string(body), `{"params":{"sessionId":"","id":"a<b>&c"},"data":{},"iat":1,"token":"`)
}

func TestTokensThatMustNotBeBelieved(t *testing.T) {
	t.Parallel()
	vectors := loadVectors(t)
	for name, want := range map[string]error{
		"signing_negative_bad_signature":      errSignature,
		"signing_negative_alg_none":           errAlgorithm,
		"signing_negative_key_base64_decoded": errSignature,
		"signing_negative_hs512":              errAlgorithm,
	} {
		var request struct{ Token string }
		require.NoError(t, json.Unmarshal(vectors[name].Request, &request))
		_, err := openToken([]byte(testKey), request.Token)
		require.ErrorIs(t, err, want, name)
	}
	good := sealToken([]byte(testKey), []byte(`{"a":1}`))
	for name, token := range map[string]string{
		"empty": "", "two parts": "a.b", "four parts": good + ".x", "padded": good + "=", "no base64": "%.%.%",
		"header is no object": encoding.EncodeToString([]byte("[]")) + good[len(header):],
		"no header":           good[len(header):],
	} {
		_, err := openToken([]byte(testKey), token)
		require.ErrorIs(t, err, errMalformed, name)
	}
	lower := encoding.EncodeToString([]byte(`{"alg":"hs256"}`)) + "." + encoding.EncodeToString([]byte("{}"))
	_, err := openToken([]byte(testKey), lower+"."+encoding.EncodeToString(mac([]byte(testKey), lower)))
	require.ErrorIs(t, err, errAlgorithm, "the algorithm's name is exact")
	crit := encoding.EncodeToString([]byte(`{"alg":"HS256","crit":["b64"]}`)) + "." + encoding.EncodeToString([]byte("{}"))
	_, err = openToken([]byte(testKey), crit+"."+encoding.EncodeToString(mac([]byte(testKey), crit)))
	require.ErrorIs(t, err, errAlgorithm, "a header that must be understood is not")
}
