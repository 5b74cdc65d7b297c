package smartcore

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"payrelay/internal/sandbox/record"
	"payrelay/internal/sandbox/testcard"
)

// open checks what all calls that make an order share and stores the order. The
// returned answer is nil when the order was made.
func (t *Simulator) open(c *call, o *Order) *answer {
	o.OrderID, o.Merchant = c.body.text("order_id"), c.merchant.Key
	if t.orders.order(o.Merchant, o.OrderID) != nil {
		a := t.rejected(c, CodeDuplicate, "order_id is in use")
		return &a
	}
	o.ProcessingID, o.CreatedAt = newProcessingID(), t.now().UTC()
	o.FinalAmount = o.Amount
	o.CallbackURL, o.SuccessURL, o.FailURL = c.body.text("callback_url"), c.body.text("success_url"), c.body.text("fail_url")
	// A customer may have typed a card number into any text.
	o.Purpose, o.Site = record.Text(c.body.text("purpose")), record.Text(c.body.text("merchant_site"))
	if o.Operation != OpRecurrent {
		o.FirstName, o.LastName = record.Text(c.body.text("customer_first_name")), record.Text(c.body.text("customer_last_name"))
	}
	o.FormURL = c.base + "/payment/" + o.ProcessingID
	o.History, o.Callbacks = []Event{}, []*Callback{}
	t.openRecipe(c, o)
	t.orders.add(o)
	return nil
}

// payment checks account and currency and makes a payment order.
func (t *Simulator) payment(c *call, o *Order) *answer {
	o.Type, o.Account, o.Currency = "Payment", c.body.text("account"), c.body.text("currency")
	o.Amount, _ = c.body.amount("amount") // checked with the other fields
	o.Recurrent = c.body.truth("recurrent")
	acc := t.accounts[accountKey{c.merchant.Key, o.Account}]
	if acc == nil || acc.Payout {
		a := t.invalidLocked(c, "account is not a payment account of this merchant")
		return &a
	}
	if acc.Currency != o.Currency && !t.settings.AnyCurrency {
		a := t.rejected(c, CodeExchange, "currency is not the account's")
		return &a
	}
	return t.open(c, o)
}

// invalidLocked is invalid for callers that hold the mutex.
func (t *Simulator) invalidLocked(c *call, msg string) answer {
	a := t.rejected(c, CodeValidation, msg)
	a.status = t.settings.ValidationStatus
	return a
}

// answeredID is the order_id of an answer (smartcore.md 6 and A2).
func (t *Simulator) answeredID(o *Order, example string) string {
	choice := t.settings.OrderIDInAnswer
	if choice == "example" {
		choice = example
	}
	if choice == "merchant" {
		return o.OrderID
	}
	return o.ProcessingID
}

func (t *Simulator) initPayment(c *call) answer {
	if bad := c.body.complaints(formFields); bad != nil {
		return t.invalid(c, bad...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := &Order{Operation: OpForm}
	if c.body.has("form_prefilled_phone") {
		o.Operation, o.Phone = OpMobile, digitsOnly(c.body.text("form_prefilled_phone"))
	}
	if bad := t.payment(c, o); bad != nil {
		return *bad
	}
	t.enter(o, StageForm, StatusWaiting)
	out := blank(c.endpoint)
	out["status"], out["description"], out["responseType"] = StatusProcessing, "", "REDIRECT"
	out["form_url"], out["order_id"] = o.FormURL, t.answeredID(o, "merchant")
	return answer{body: out, made: o}
}

func (t *Simulator) initDirect(c *call) answer {
	required, op := cardFields, OpCard
	switch c.body.text("payment_method") {
	case "", "card":
	case "applePayDPan":
		required, op = applePayFields, OpApplePay
	case "googlePayDPan":
		required, op = googlePayFields, OpGooglePay
	default:
		return t.invalid(c, "payment_method is not known")
	}
	if bad := c.body.complaints(required); bad != nil {
		return t.invalid(c, bad...)
	}
	return t.direct(c, op)
}

func (t *Simulator) authorize(c *call) answer {
	if bad := c.body.complaints(authorizeFields); bad != nil {
		return t.invalid(c, bad...)
	}
	return t.direct(c, OpAuthorize)
}

func (t *Simulator) direct(c *call, op Operation) answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := &Order{Operation: op}
	switch op {
	case OpApplePay:
		o.Card = appleCard(c.body.text("apple_pay_dpan"))
		if o.Card == nil {
			return t.invalidLocked(c, "apple_pay_dpan is not base64 of a JSON object")
		}
	case OpGooglePay:
		o.Card = newCard(CardFrictionless, "", "", "")
		if t.settings.GooglePay == "pan_only" {
			o.Card.behaviour = behaviourChallenge
		}
	default:
		digits, ok := testcard.Digits(c.body.text("card_number"))
		if !ok {
			return t.invalidLocked(c, "card_number must be 12 to 19 digits")
		}
		o.Card = newCard(digits, c.body.text("card_holder"), c.body.text("card_exp_month"), c.body.text("card_exp_year"))
		t.expire(o.Card)
	}
	if bad := t.payment(c, o); bad != nil {
		return *bad
	}
	t.startDirect(o)
	out := blank(c.endpoint)
	out["status"], out["description"], out["responseType"] = StatusProcessing, "", "REDIRECT"
	out["order_id"] = t.answeredID(o, "processing")
	t.threeDS(o, c.base, out)
	return answer{body: out, made: o}
}

// threeDS tells where the customer has to go.
func (t *Simulator) threeDS(o *Order, base string, out map[string]any) {
	if o.Stage != StageRedirect || t.settings.ThreeDS == "redirect" {
		out["form_url"] = o.FormURL
		return
	}
	acs := base + "/acs/" + o.ProcessingID
	out["acsurl"] = acs
	if t.settings.ThreeDS == "3ds1" {
		out["paReq"] = base64.StdEncoding.EncodeToString([]byte("PAReq " + o.ProcessingID))
		out["md"], out["termUrl"] = o.ProcessingID, base+"/payment/"+o.ProcessingID+"/term"
		return
	}
	creq, _ := json.Marshal(map[string]string{ // plain strings cannot fail
		"messageType": "CReq", "messageVersion": "2.2.0", "threeDSServerTransID": newUUID(),
		"acsTransID": o.ProcessingID, "challengeWindowSize": "05",
	})
	out["creq"] = base64.RawURLEncoding.EncodeToString(creq)
}

// appleCard reads the card out of a decrypted Apple Pay payload. A masked
// number, as in the documented example, counts as the successful test card.
func appleCard(payload string) *Card {
	raw, err := base64.StdEncoding.DecodeString(payload)
	var p struct {
		Number string `json:"applicationPrimaryAccountNumber"`
	}
	if err != nil || json.Unmarshal(raw, &p) != nil {
		return nil
	}
	digits, ok := testcard.Digits(p.Number)
	if !ok {
		if strings.Trim(p.Number, "*") != "" {
			return nil
		}
		digits = CardFrictionless
	}
	return newCard(digits, "", "", "")
}
