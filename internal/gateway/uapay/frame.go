package uapay

import (
	"context"

	"payrelay/internal/gateway"
)

var _ gateway.CardFramer = (*Gateway)(nil)

// opCardFrame is what making a frame's address is called in errors.
const opCardFrame = "cardFrame"

// The methods of the card frame (uapay.md 11).
const (
	frameCard      = "createCard"      // with expiry, for debits
	frameShortCard = "createShortCard" // without, for credits
)

// frameParams is the params of a frame's request. The documents do not place the members; published clients have the
// method and the switch here, beside the client's id. Calls name a session instead of the client since sessions exist, so
// both are sent.
type frameParams struct {
	session
	ClientID string `json:"clientId"`
	Method   string `json:"method"`
	Redirect bool   `json:"enableRedirectResponse"`
}

// CardFrame implements gateway.CardFramer (uapay.md 11). The address is a signed request within the session; the
// provider is called only if there is no session. How long the address can be used is not documented.
func (g *Gateway) CardFrame(ctx context.Context, req gateway.CardFrameRequest) (gateway.CardFrame, error) {
	id, _, err := g.session(ctx, 0)
	if err != nil {
		return gateway.CardFrame{}, err
	}
	params := frameParams{ClientID: g.clientID, Method: frameCard, Redirect: req.Redirect}
	if req.Payout {
		params.Method = frameShortCard
	}
	params.use(id)
	claims, err := encode(struct {
		Params frameParams `json:"params"`
		IssAt  int64       `json:"iat"`
	}{params, g.now().Unix()})
	if err != nil {
		return gateway.CardFrame{}, &gateway.Error{Kind: gateway.KindInvalid, Op: opCardFrame, Code: "encode"}
	}
	return gateway.CardFrame{URL: g.base + "/api/iframe/" + sealToken(g.key, claims)}, nil
}
