package tinypay

import "payrelay/internal/gateway"

// statuses are Tinypay's states in neutral words. A state that is not here says nothing that is understood.
var statuses = map[string]gateway.Status{
	"open":     gateway.StatusRequiresAction,
	"working":  gateway.StatusProcessing,
	"paid":     gateway.StatusSucceeded,
	"declined": gateway.StatusFailed,
	"expired":  gateway.StatusCanceled,
}

// reasons are Tinypay's reasons for a decline.
var reasons = map[string]gateway.Failure{
	"no_funds": {Category: gateway.FailureFunds, Advice: gateway.AdviceCustomerMayRetry, Message: "There is not enough money on the card.", Retry: gateway.RetrySameLater},
	"fraud":    {Category: gateway.FailureFraud, Advice: gateway.AdviceDoNotRetry, Message: "The payment looks like fraud.", Retry: gateway.RetryNever},
}

// failure says why a payment was declined. A reason that is not documented is not repeated: nobody knows what is in it.
func failure(reason string) *gateway.Failure {
	f, known := reasons[reason]
	if !known {
		f, reason = gateway.Failure{Category: gateway.FailureUnknown, Advice: gateway.AdviceContactProvider, Message: "Tinypay declined the payment.", Retry: gateway.RetryUnknown}, "other"
	}
	f.Code, f.Cascade = reason, []gateway.CascadeError{}
	return &f
}

// result translates an answer or a callback. Sums are passed on as they were said.
func (a answer) result() gateway.Result {
	r := gateway.Result{
		Status: statuses[a.State], ProviderReference: a.Reference, Amount: a.Amount, Currency: currency(a.Currency), Refunded: a.Refunded,
		ProviderData: gateway.ProviderData{"state": "other"},
	}
	if r.Status != "" {
		r.ProviderData["state"] = a.State
	}
	if a.Movement != "" {
		r.BankReferences = []string{a.Movement}
	}
	switch r.Status {
	case gateway.StatusRequiresAction:
		if a.PayURL != "" {
			r.NextAction = &gateway.NextAction{Type: gateway.ActionRedirect, URL: a.PayURL}
		}
	case gateway.StatusSucceeded:
		r.Settled = a.Amount
	case gateway.StatusFailed:
		r.Failure = failure(a.Reason)
	case gateway.StatusProcessing, gateway.StatusAuthorized, gateway.StatusCanceled:
	}
	return r
}
