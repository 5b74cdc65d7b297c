package payment

import (
	"context"
	"errors"
	"slices"
	"time"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/orderid"
)

// Request is a request for an order whose provider has needs of its own: NewPayment, NewPayout or NewTransfer.
type Request interface {
	check(ctx context.Context, s *Service) []gateway.FieldError
}

// Check lists what would be complained about if the request was carried out. It is for one that is refused for other
// reasons already, of which some members may be empty for that: nothing is stored or sent.
func (s *Service) Check(ctx context.Context, in Request) []gateway.FieldError {
	return in.check(ctx, s)
}

func (in NewPayment) check(ctx context.Context, s *Service) []gateway.FieldError {
	return s.checkAt(ctx, s.paymentIntake(in), func(a Account, gw gateway.Gateway) []gateway.FieldError {
		late, needs := in.complaints(s.trialPayment(in, a, gw), gw, s.Now())
		return append(late, needs...)
	})
}

// complaints are what is wrong with a payment as refusalOf takes it: what does not hold any more or is no term that a mandate can
// have, and what the provider needs or cannot do. Fields have the names of the request.
func (in NewPayment) complaints(req gateway.PaymentRequest, gw gateway.Gateway, now time.Time) (late, needs []gateway.FieldError) {
	return append(in.named(expired(req, now)), in.scheduleComplaints(gw)...), in.named(gw.Check(req))
}

// trialPayment is what the provider of an account would be told of a payment.
func (s *Service) trialPayment(in NewPayment, a Account, gw gateway.Gateway) gateway.PaymentRequest {
	return s.paymentRequest(in, s.trialRef(gateway.KindPayment, in.operation(), in.Amount.Minor(), a), a, gw)
}

func (in NewPayout) check(ctx context.Context, s *Service) []gateway.FieldError {
	it := s.payoutIntake(in)
	account, err := s.payoutAccount(ctx, in)
	if err != nil {
		return fieldsOf(err)
	}
	it.account = account
	return s.checkAt(ctx, it, func(a Account, gw gateway.Gateway) []gateway.FieldError {
		if _, ok := gw.(gateway.Payer); !ok {
			return nil
		}
		var bad []gateway.FieldError
		if in.PayoutCard != nil {
			in.Method.PayoutCardID = in.PayoutCard.String() // any name does: it is not sent
			if _, err := s.payoutCard(ctx, in, a); err != nil {
				bad = fieldsOf(err)
			}
		}
		bad = append(bad, cardOver("method.card", in.Method.Card, s.Now())...)
		return append(bad, gw.Check(gateway.PayoutRequest{
			Ref: s.trialRef(gateway.KindPayout, gateway.OpSale, in.Minor, a), Method: in.Method, Customer: in.Customer,
			Description: in.Description, SiteURL: in.SiteURL, CallbackURL: s.CallbackURL(a),
		})...)
	})
}

func (in NewTransfer) check(ctx context.Context, s *Service) []gateway.FieldError {
	return s.checkAt(ctx, intake{order: Order{ShopID: in.Shop}, account: in.Account, currency: in.Amount.Currency(), purpose: PurposePayouts}, func(a Account, gw gateway.Gateway) []gateway.FieldError {
		if _, ok := gw.(gateway.Transferrer); !ok {
			return nil
		}
		return append(endsOver(in, s.Now()), gw.Check(gateway.TransferRequest{
			Ref: s.trialRef(gateway.KindTransfer, gateway.OpSale, in.Amount.Minor(), a), From: in.From, To: in.To, Customer: in.Customer,
			Description: in.Description, CallbackURL: s.CallbackURL(a),
		})...)
	})
}

// checkAt asks the gateway of the account that a request goes to. Until it is known which one that is, no provider's needs
// are the request's.
func (s *Service) checkAt(ctx context.Context, in intake, ask func(Account, gateway.Gateway) []gateway.FieldError) []gateway.FieldError {
	candidates, _, err := s.routed(ctx, in)
	switch {
	case CodeOf(err) == CodeNoRoute: // by what could be read; the whole may have a route
		return nil
	case in.account == "" && in.currency == "" && CodeOf(err) == CodeCurrency: // the currency was complained about where it was read
		return nil
	case err != nil:
		return fieldsOf(err)
	}
	gw, err := s.open(candidates[0])
	if err != nil {
		return nil
	}
	return ask(candidates[0], gw.gateway)
}

// trialOrderID has the form of an order's id at its provider, and belongs to none.
const trialOrderID = orderid.Prefix + "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

// trialRef names an order that is never written, in the account's currency. A sum that could not be read was complained
// about where it was read: any does.
func (s *Service) trialRef(kind gateway.Kind, operation gateway.Operation, minor int64, a Account) gateway.Ref {
	return gateway.Ref{Kind: kind, Operation: operation, OrderID: trialOrderID, Amount: money.New(max(minor, 1), a.Currency), CreatedAt: s.Now()}
}

// paymentRequest is what the provider of an account is told of a payment.
func (s *Service) paymentRequest(in NewPayment, ref gateway.Ref, a Account, gw gateway.Gateway) gateway.PaymentRequest {
	req := gateway.PaymentRequest{
		Ref: ref, Flow: in.Flow, Method: in.Method, Customer: in.Customer, Browser: in.Browser,
		Description: in.Description, SiteURL: in.SiteURL, ReturnURLs: in.ReturnURLs.ReturnURLs,
		CallbackURL: s.CallbackURL(a), Recurring: in.Recurring,
	}
	if in.ReturnURLs.Default {
		req.ReturnURLs = in.ReturnURLs.accepted(gw.Check(req))
	}
	return req
}

// refusalOf says why a request cannot be sent, nil if it can: what the provider cannot be told comes before what is no longer
// good, and that before what the provider needs. Every field is listed.
func refusalOf(late, needs []gateway.FieldError, a Account) error {
	if len(late)+len(needs) == 0 {
		return nil
	}
	e := &Error{Fields: append(late, needs...)}
	switch {
	case slices.ContainsFunc(needs, func(f gateway.FieldError) bool { return f.Unsupported }):
		e.Code, e.Message = CodeUnsupported, "The provider of account "+a.Name+" cannot do this."
	case len(late) > 0:
		e.Code, e.Message = CodeInvalid, "The request is not valid."
	default:
		e.Code, e.Message = CodeMissingFields, "The provider of account "+a.Name+" needs more than the request has."
	}
	return e
}

// expired complains about what is no longer good: the card, or the time until which it may be charged again.
func expired(req gateway.PaymentRequest, now time.Time) []gateway.FieldError {
	late := cardOver("payment_method.card", req.Method.Card, now)
	if until := req.Recurring.ExpiresAt; !until.IsZero() && !until.After(now) {
		late = append(late, gateway.FieldError{Field: "recurring.expires_at", Message: "must be in the future"})
	}
	return late
}

// cardOver complains about a card whose last month is over.
func cardOver(at string, c *card.Card, now time.Time) []gateway.FieldError {
	if c == nil || !c.Expiry.Over(now) {
		return nil
	}
	return []gateway.FieldError{{Field: at + ".exp_year", Message: "and exp_month are past: the card has expired"}}
}

// endsOver is cardOver for both ends of a transfer.
func endsOver(in NewTransfer, now time.Time) []gateway.FieldError {
	return append(cardOver("from.card", in.From.Card, now), cardOver("to.card", in.To.Card, now)...)
}

// fieldsOf returns what an error says of a request's fields.
func fieldsOf(err error) []gateway.FieldError {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Fields
	}
	return nil
}
