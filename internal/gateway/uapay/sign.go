package uapay

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// Tokens are HS256 JWTs (uapay.md 4), written out here instead of through a JWT library for two reasons: a library
// decodes a token's claims before it verifies them, and a request carries its claims twice, in the token and beside it,
// which must be the same bytes.

var (
	errMalformed = errors.New("not a token")
	errAlgorithm = errors.New("the token is not signed by HS256")
	errSignature = errors.New("the token's signature does not hold")
)

// encoding is base64url without padding; leftover bits must be zero.
var encoding = base64.RawURLEncoding.Strict()

// header is that of every token we send.
var header = encoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))

// mac signs text. The key is the text of the secret: it looks like base64 and is not decoded (uapay.md 4.1).
func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// sealToken makes a token of claims.
func sealToken(key, claims []byte) string {
	text := header + "." + encoding.EncodeToString(claims)
	return text + "." + encoding.EncodeToString(mac(key, text))
}

// sealRequest makes a request's body of its parts: params, data unless nil, iat, and the token over these (uapay.md 4.1).
func sealRequest(key []byte, params, data any, iat int64) ([]byte, error) {
	claims, err := encode(struct {
		Params any   `json:"params"`
		Data   any   `json:"data,omitempty"`
		IssAt  int64 `json:"iat"`
	}{params, data, iat})
	if err != nil {
		return nil, err
	}
	token := sealToken(key, claims)
	body := append(bytes.Clone(claims[:len(claims)-1]), `,"token":"`...)
	body = append(body, token...)
	clear(claims) // may hold a security code
	return append(body, `"}`...), nil
}

// encode is json.Marshal without escapes for HTML.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

// openToken verifies a token and returns its claims, not decoded. No algorithm but HS256 will do, and the comparison
// takes the same time wherever signatures differ.
func openToken(key []byte, token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errMalformed
	}
	head, err1 := encoding.DecodeString(parts[0])
	claims, err2 := encoding.DecodeString(parts[1])
	given, err3 := encoding.DecodeString(parts[2])
	var h struct {
		Alg  string          `json:"alg"`
		Crit json.RawMessage `json:"crit"`
	}
	if err1 != nil || err2 != nil || err3 != nil || json.Unmarshal(head, &h) != nil {
		return nil, errMalformed
	}
	if h.Alg != "HS256" || h.Crit != nil {
		return nil, errAlgorithm
	}
	if !hmac.Equal(given, mac(key, parts[0]+"."+parts[1])) {
		return nil, errSignature
	}
	return claims, nil
}
