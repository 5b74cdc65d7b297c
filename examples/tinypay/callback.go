package tinypay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"payrelay/internal/gateway"
)

// ReadCallback implements gateway.Gateway. The signature is verified over the raw bytes before anything is decoded.
func (g *Gateway) ReadCallback(raw gateway.RawCallback) (gateway.Notification, error) {
	mac := hmac.New(sha256.New, []byte(g.callbackKey.Reveal()))
	mac.Write(raw.Body)
	signature, err := hex.DecodeString(raw.Query.Get("signature"))
	if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
		return gateway.Notification{}, gateway.Errorf(gateway.KindInvalidSignature, "callback", "the signature does not hold")
	}
	var a answer
	if json.Unmarshal(raw.Body, &a) != nil || a.ID == "" {
		return gateway.Notification{}, gateway.Errorf(gateway.KindRejected, "callback", "the body is no order of Tinypay's")
	}
	n := gateway.Notification{Fingerprint: signature, OrderID: a.ID, Result: a.result()}
	if n.Result.Status == "" {
		n.VerifyReason, n.Rule = "The state is not documented.", "unknown_state"
	}
	return n, nil
}
