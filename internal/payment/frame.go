package payment

import (
	"context"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// CardFrame returns the address of the provider's own card form, for one customer, whatever the account is for otherwise: a
// transfer takes money from a card on an account for payouts. Nothing is stored, and no order is made: the provider
// tells the card's id to the shop's page. Errors: CodeUnknownAccount, CodeUnsupported, CodeProviderFailed.
func (s *Service) CardFrame(ctx context.Context, shop uuid.UUID, name string, req gateway.CardFrameRequest) (gateway.CardFrame, error) {
	to, err := s.destination(ctx, shop, name, "", PurposeAny)
	if err != nil {
		return gateway.CardFrame{}, err
	}
	framer, ok := to.gateway.(gateway.CardFramer)
	if !ok {
		return gateway.CardFrame{}, &Error{Code: CodeUnsupported, Message: "The provider of this account has no card form to embed."}
	}
	if err := to.account.allows(canCardFrame); err != nil {
		return gateway.CardFrame{}, err
	}
	frame, _, err := callProvider(ctx, s, Subject{Shop: shop, Account: to.account.Name}, s.CheckTimeout, func(ctx context.Context) (gateway.CardFrame, error) {
		return framer.CardFrame(ctx, req)
	})
	if err != nil {
		message := "The provider did not open a card form. Try again later."
		switch {
		case gateway.KindOf(err) == gateway.KindCredentials:
			message = "The provider refused this account's credentials; the operators must mend them."
		case clockOff(err):
			message = clockMessage
		}
		return gateway.CardFrame{}, providerFailed(message, err)
	}
	return frame, nil
}
