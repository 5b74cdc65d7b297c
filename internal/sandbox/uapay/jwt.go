package uapay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

const headerHS256 = `{"alg":"HS256","typ":"JWT"}`

// Sign makes the provider's token over claims that are JSON already: HS256 with
// the characters of the key as they are displayed (uapay.md 4.1).
func Sign(key string, claims []byte) string { return signAs(headerHS256, []byte(key), claims) }

func signAs(header string, key, claims []byte) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(hmac256(key, text))
}

func hmac256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(text)) // never fails
	return mac.Sum(nil)
}

var errToken = errors.New("token is not valid")

// verify returns the claims of a token that the key has signed with HS256.
func verify(key, token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errToken
	}
	rawHeader, err := base64.RawURLEncoding.DecodeString(parts[0])
	var header struct {
		Alg string `json:"alg"`
	}
	if err != nil || json.Unmarshal(rawHeader, &header) != nil || header.Alg != "HS256" {
		return nil, errToken
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(signature, hmac256([]byte(key), parts[0]+"."+parts[1])) {
		return nil, errToken
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, errToken
	}
	return claims, nil
}

// peek reads the claims of a token that is not verified yet: the session in it
// tells whose key to use.
func peek(token string) []byte {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	return claims
}
