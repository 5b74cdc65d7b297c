package uapay

import (
	"bytes"
	"encoding/json"
	"errors"

	"payrelay/internal/gateway/kit"
)

// session is the member that every call's params have. It is filled in when the call is sent.
type session struct {
	SessionID string `json:"sessionId"`
}

func (s *session) use(id string) { s.SessionID = id }

// sessionUser is a call's params.
type sessionUser interface{ use(id string) }

// clientParams is the params of sessions/create (uapay.md 6).
type clientParams struct {
	ClientID string `json:"clientId,omitempty"`
}

// invoiceParams and invoiceData make an invoice (uapay.md 7.1).
type invoiceParams struct {
	session
	SystemType string `json:"systemType"`
}

type invoiceData struct {
	ExternalID  string `json:"externalId"`
	Type        string `json:"type"` // PAY, HOLD or SUBSCRIBE
	Reusability bool   `json:"reusability"`
	Description string `json:"description"`
	Amount      int64  `json:"amount"`
	RedirectURL string `json:"redirectUrl,omitempty"`
	CallbackURL string `json:"callbackUrl,omitempty"`
	Email       string `json:"email,omitempty"`
	ExtraInfo   string `json:"extraInfo,omitempty"`         // JSON as text
	Interval    int    `json:"recurringInterval,omitempty"` // days
	ExpiresAt   int64  `json:"expiresAt,omitempty"`         // milliseconds since 1970
}

// idParams names an invoice, or a transfer by either id, or invoices by their orders' ids.
type idParams struct {
	session
	ID          string   `json:"id,omitempty"`
	ReceiptID   string   `json:"receiptId,omitempty"`
	ExternalID  string   `json:"externalId,omitempty"`
	ExternalIDs []string `json:"externalIds,omitempty"`
}

// subscriptionParams names a subscription, by both names that the documents have (uapay.md 7.5).
type subscriptionParams struct {
	session
	ID        string `json:"id"`
	InvoiceID string `json:"invoiceId"`
}

// scheduleData is a subscription's schedule: days, and milliseconds since 1970.
type scheduleData struct {
	Interval  int   `json:"interval"`
	ExpiresAt int64 `json:"expiresAt"`
}

// paymentParams names a payment of an invoice (uapay.md 8.2 to 8.8). A capture's lower sum stands here and not in data
// (uapay.md 8.5).
type paymentParams struct {
	session
	PaymentID  string `json:"paymentId,omitempty"`
	InvoiceID  string `json:"invoiceId,omitempty"`
	ExternalID string `json:"externalId,omitempty"` // in the newer engine, the order's id
	Amount     int64  `json:"amount,omitempty"`
}

// amountData is a refund's sum, left out if all goes back (uapay.md 8.7).
type amountData struct {
	Amount int64 `json:"amount"`
}

// codeParams answers LOOKUP, for an invoice's payment (uapay.md 8.4) or a transfer (uapay.md 9.1).
type codeParams struct {
	session
	PaymentID string `json:"paymentId,omitempty"`
	InvoiceID string `json:"invoiceId,omitempty"`
	ID        string `json:"id,omitempty"`
	Code      string `json:"code"`
	Key       string `json:"key,omitempty"`
}

// createParams and createData start a payment with a stored card (uapay.md 8.1).
type createParams struct {
	session
	Locale string `json:"locale,omitempty"`
	Device device `json:"device"`
}

type createData struct {
	InvoiceID string  `json:"invoiceId"`
	Amount    int64   `json:"amount"`
	Currency  int64   `json:"currency"`
	CardFrom  cardRef `json:"cardFrom"`
	Email     string  `json:"email,omitempty"`
}

// device is the payer's browser.
type device struct {
	AcceptHeader   string `json:"acceptHeader,omitempty"`
	IP             string `json:"ip,omitempty"`
	ColorDepth     *int   `json:"colorDepth,omitempty"`
	JavaEnabled    *bool  `json:"javaEnabled,omitempty"`
	Language       string `json:"language,omitempty"`
	ScreenHeight   *int   `json:"screenHeight,omitempty"`
	ScreenWidth    *int   `json:"screenWidth,omitempty"`
	WindowHeight   *int   `json:"windowHeight,omitempty"`
	WindowWidth    *int   `json:"windowWidth,omitempty"`
	Time           string `json:"time"`
	TimeZoneOffset *int   `json:"timezoneOffset,omitempty"`
	UserAgent      string `json:"userAgent,omitempty"`
}

// cardRef is a card kept by the provider, or a card.
type cardRef struct {
	ID           string `json:"id,omitempty"`
	PAN          string `json:"pan,omitempty"`
	ExpiresAt    string `json:"expiresAt,omitempty"`    // YYYY-MM
	SecurityCode string `json:"securityCode,omitempty"` // text: zeros in front matter (uapay.md 5)
}

// localeParams is the params of a transfer (uapay.md 9.1).
type localeParams struct {
	session
	Locale string `json:"locale,omitempty"`
}

// c2aParams and c2aData complete a card's payment (uapay.md 9.3).
type c2aParams struct {
	session
	PaymentID      string `json:"paymentId"`
	Device         device `json:"device"`
	ACSRedirectURL string `json:"acsRedirectUrl,omitempty"`
}

type c2aData struct {
	CardFrom cardRef `json:"cardFrom"`
}

// reverseParams names a card's payment whose money goes back, or that going back itself (uapay.md 9.3).
type reverseParams struct {
	session
	PaymentID         string `json:"paymentId,omitempty"`
	ReverseExternalID string `json:"reverseExternalId,omitempty"`
}

// transferData starts a transfer (uapay.md 9.1).
type transferData struct {
	ExternalID  string  `json:"externalId"`
	CardFrom    cardRef `json:"cardFrom"`
	CardTo      cardRef `json:"cardTo"`
	Notify      notify  `json:"notify"`
	Amount      int64   `json:"amount"`
	Currency    int64   `json:"currency"`
	Description string  `json:"description,omitempty"`
	CallbackURL string  `json:"callbackUrl,omitempty"`
}

type notify struct {
	Phone string `json:"phone"`
	Email string `json:"email,omitempty"`
}

// initiateParams starts a payout; the currency is text here (uapay.md 9.3, 5).
type initiateParams struct {
	session
	ExternalID  string `json:"externalId"`
	Amount      int64  `json:"amount"`
	Currency    string `json:"currency"`
	Description string `json:"description,omitempty"`
	CallbackURL string `json:"callbackUrl,omitempty"`
}

// completeData names where a payout goes (uapay.md 9.3).
type completeData struct {
	CardTo cardRef `json:"cardTo"`
}

// nothing is data without members, as the documented example of splitShow sends it (uapay.md 9.2).
type nothing struct{}

// envelope is the outside of an answer (uapay.md 3.2).
type envelope struct {
	Status text            `json:"status"`
	Data   json.RawMessage `json:"data"`
	Error  json.RawMessage `json:"error"`
	ID     text            `json:"id"`

	fault *fault
}

// fault is an error object (uapay.md 3.3).
type fault struct {
	Code    text            `json:"code"`
	Message json.RawMessage `json:"message"`
	Fields  json.RawMessage `json:"fields"`
}

// parseEnvelope reads the outside of an answer. Its error repeats nothing of it.
func parseEnvelope(body []byte) (envelope, error) {
	var env envelope
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 || trimmed[0] != '{' || json.Unmarshal(trimmed, &env) != nil {
		return envelope{}, errors.New("not the JSON of an answer")
	}
	if raw := bytes.TrimSpace(env.Error); len(raw) > 0 && raw[0] == '{' {
		var f fault
		if json.Unmarshal(raw, &f) == nil && f.Code != "" {
			env.fault = &f
		}
	}
	if len(env.Error) > 0 && string(env.Error) != "null" && env.fault == nil {
		return envelope{}, errors.New("an error that cannot be read")
	}
	return env, nil
}

// answer is every member of data that any method is known to answer with.
type answer struct {
	ID          text `json:"id"`
	Key         text `json:"key"`
	PaymentID   text `json:"paymentId"`
	InvoiceID   text `json:"invoiceId"`
	OperationID text `json:"operationId"`
	ExternalID  text `json:"externalId"`
	ReceiptID   text `json:"receiptId"`
	PageURL     text `json:"paymentPageUrl"`
	RedirectURL text `json:"redirectUrl"`

	Type          text   `json:"type"`
	SystemType    text   `json:"systemType"`
	InvoiceStatus text   `json:"invoiceStatus"`
	Status        text   `json:"status"`
	PaymentStatus text   `json:"paymentStatus"`
	Number        text   `json:"number"`
	Amount        number `json:"amount"`
	PendingAmount number `json:"pendingAmount"`
	ReturnAmount  number `json:"returnAmount"`
	Currency      text   `json:"currency"`

	CommissionAmount       number          `json:"commissionAmount"`
	ReturnCommissionAmount number          `json:"returnCommissionAmount"`
	Commission             json.RawMessage `json:"commission"` // a sum, or the rule that it comes from

	ReverseOperationID text `json:"reverseOperationId"`
	ReverseExternalID  text `json:"reverseExternalId"`
	ReversedAt         text `json:"reversedAt"`

	ExpiresAt     text `json:"expiresAt"` // of a subscription, like the next
	PlannedPaidAt text `json:"plannedPaidAt"`

	CardFromMasked text `json:"cardFromMasked"`
	CardToMasked   text `json:"cardToMasked"`

	Confirmation *confirmation   `json:"confirmation"`
	Redirect     *redirect       `json:"redirect"`
	ExtraInfo    json.RawMessage `json:"extraInfo"`

	Payments   *[]answer   `json:"payments"`
	Invoices   *[]answer   `json:"invoices"`
	Operations []operation `json:"operations"`
}

// confirmation is what the payer must do (uapay.md 8.2).
type confirmation struct {
	Type     text            `json:"type"`
	Left     number          `json:"confirmationsLeft"`
	URL      text            `json:"url"`
	Form     map[string]text `json:"form"`
	Redirect *redirect       `json:"redirect"` // where the table puts it; examples put it beside
}

// redirect is the base of the address that the issuer sends the payer back to (uapay.md 8.3).
type redirect struct {
	URL    text `json:"url"`
	Params struct {
		ID text `json:"id"`
	} `json:"params"`
}

// operation is a debit, a credit or a return (uapay.md 9.2).
type operation struct {
	ID         text   `json:"id"`
	Type       text   `json:"type"`
	Status     text   `json:"status"`
	ExternalID text   `json:"externalId"`
	Amount     number `json:"amount"`
}

// commission is what the payer pays on top of the amount, if the answer says (uapay.md 5).
func (a answer) commission() number {
	if a.CommissionAmount.Set {
		return a.CommissionAmount
	}
	var n number
	if len(a.Commission) == 0 || n.UnmarshalJSON(a.Commission) != nil {
		return number{}
	}
	return n
}

// text and number are values as the provider writes them.
type (
	text   = kit.Text
	number = kit.Number
)
