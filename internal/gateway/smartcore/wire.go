package smartcore

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"payrelay/internal/gateway/kit"
)

// order is the part of a payment request that every variant has (smartcore.md 3). Fields are written only when known, but
// for recurrent, which the parent of later charges must carry (smartcore.md A33) and which is stated either way.
type order struct {
	Account     string `json:"account"`
	Amount      int64  `json:"amount"`
	Currency    string `json:"currency"`
	OrderID     string `json:"order_id"`
	Site        string `json:"merchant_site,omitempty"`
	Recurrent   bool   `json:"recurrent"`
	Purpose     string `json:"purpose,omitempty"`
	FirstName   string `json:"customer_first_name,omitempty"`
	LastName    string `json:"customer_last_name,omitempty"`
	Address     string `json:"customer_address,omitempty"`
	City        string `json:"customer_city,omitempty"`
	ZipCode     string `json:"customer_zip_code,omitempty"` // text (smartcore.md A6): leading zeros matter
	Country     string `json:"customer_country,omitempty"`
	Phone       string `json:"customer_phone,omitempty"`
	Email       string `json:"customer_email,omitempty"`
	IP          string `json:"customer_ip_address,omitempty"` // always (smartcore.md A17)
	SuccessURL  string `json:"success_url,omitempty"`
	FailURL     string `json:"fail_url,omitempty"`
	CallbackURL string `json:"callback_url,omitempty"`
	StatusURL   string `json:"status_url,omitempty"` // a page for the browser (smartcore.md A32)
}

// formRequest opens the provider's form (smartcore.md 4.1).
type formRequest struct {
	order
	PrefilledPhone string `json:"form_prefilled_phone,omitempty"`
}

// cardFields are a card's (smartcore.md 3).
type cardFields struct {
	Holder   string `json:"card_holder,omitempty"`
	Number   string `json:"card_number,omitempty"`
	ExpMonth string `json:"card_exp_month,omitempty"`
	ExpYear  string `json:"card_exp_year,omitempty"`
	CVV      string `json:"card_cvv,omitempty"`
}

// authorizeRequest holds money on a card (smartcore.md 4.3). It lists no wallet, recurring or browser fields.
type authorizeRequest struct {
	order
	cardFields
}

// directRequest pays with a card or wallet whose data passes through us (smartcore.md 4.2).
type directRequest struct {
	order
	cardFields
	PaymentMethod string `json:"payment_method"`
	AppleToken    string `json:"apple_pay_dpan,omitempty"`
	AppleNetwork  string `json:"apple_pay_payment_method_network,omitempty"`
	GoogleToken   string `json:"google_pay_dpan,omitempty"`
	GoogleNetwork string `json:"google_pay_payment_method_network,omitempty"`
	RecurFreq     int64  `json:"recur_freq,omitempty"`
	RecurExp      string `json:"recur_exp,omitempty"` // ISO 8601 with milliseconds (smartcore.md A7)
	browserFields
}

// browserFields tell 3-D Secure about the browser; numbers travel as text (smartcore.md 3).
type browserFields struct {
	AcceptHeader string `json:"browser_accept_header,omitempty"`
	UserAgent    string `json:"browser_user_agent,omitempty"`
	JavaEnabled  *bool  `json:"browser_java_enabled,omitempty"`
	JSEnabled    *bool  `json:"browser_js_enabled,omitempty"`
	ColorDepth   string `json:"browser_color_depth,omitempty"`
	ScreenHeight string `json:"browser_screen_height,omitempty"`
	ScreenWidth  string `json:"browser_screen_width,omitempty"`
	Language     string `json:"browser_language,omitempty"`
	TimeZone     string `json:"browser_time_zone,omitempty"`
}

// orderRequest names an order: check, capture and cancel (smartcore.md 4.4 to 4.6). A capture's amount is text
// (smartcore.md A5).
type orderRequest struct {
	OrderID string `json:"order_id"`
	Amount  string `json:"amount,omitempty"`
}

// refundRequest is smartcore.md 4.7.
type refundRequest struct {
	OrderID     string `json:"order_id"`
	Amount      int64  `json:"amount"`
	Reason      string `json:"reason"`
	CallbackURL string `json:"callback_url,omitempty"`
}

// recurrentRequest is smartcore.md 4.8.
type recurrentRequest struct {
	OrderID     string `json:"order_id"`
	ParentID    string `json:"parent_order_id"`
	Amount      int64  `json:"amount"`
	Purpose     string `json:"purpose"`
	CallbackURL string `json:"callback_url,omitempty"`
	Period      string `json:"recur_period,omitempty"`
}

// tokenizeRequest is smartcore.md 4.9.
type tokenizeRequest struct {
	Account     string `json:"account"`
	OrderID     string `json:"order_id"`
	CallbackURL string `json:"callback_url,omitempty"`
	SuccessURL  string `json:"success_url,omitempty"`
	FailURL     string `json:"fail_url,omitempty"`
}

// withdrawalRequest is smartcore.md 4.10.
type withdrawalRequest struct {
	Account       string `json:"account"`
	OrderID       string `json:"order_id"`
	Amount        int64  `json:"amount"`
	PaymentMethod string `json:"payment_method"` // always (smartcore.md A14)
	Purpose       string `json:"purpose,omitempty"`
	Site          string `json:"merchant_site,omitempty"`
	CardNumber    string `json:"customer_card_number,omitempty"`
	CardExpMonth  string `json:"customer_card_exp_month,omitempty"`
	CardExpYear   string `json:"customer_card_exp_year,omitempty"`
	TokenOrderID  string `json:"tokenize_transaction_order_id,omitempty"`
	PhoneBalance  string `json:"phone_withdrawal,omitempty"`
	FirstName     string `json:"customer_first_name,omitempty"`
	MiddleName    string `json:"customer_middle_name,omitempty"`
	LastName      string `json:"customer_last_name,omitempty"`
	Phone         string `json:"customer_phone,omitempty"`
	BirthDate     string `json:"customer_birthdate,omitempty"` // DD.MM.YYYY
	ZipCode       string `json:"customer_zip_code,omitempty"`
	Country       string `json:"customer_country,omitempty"`
	IP            string `json:"customer_ip_address,omitempty"`
	CallbackURL   string `json:"callback_url,omitempty"`

	BankAccount       string `json:"account_withdrawal,omitempty"`
	BankHolder        string `json:"account_withdrawal_holder,omitempty"`
	BankRecipientName string `json:"account_withdrawal_recipient_name,omitempty"`
	BankIIN           string `json:"account_withdrawal_iin,omitempty"`
	BankBIN           string `json:"account_withdrawal_bin,omitempty"`
	BankKBE           string `json:"account_withdrawal_kbe,omitempty"`
	BankCNP           string `json:"account_withdrawal_cnp,omitempty"`
	BankCode          string `json:"account_withdrawal_bank_code,omitempty"`
	BankName          string `json:"account_withdrawal_bank_name,omitempty"`
	BankRecipientCode string `json:"account_withdrawal_recipient_code,omitempty"`
	BankSenderCode    string `json:"account_withdrawal_sender_code,omitempty"`
	BankRecipientRNN  string `json:"account_withdrawal_recipient_rnn,omitempty"`
	ProviderID        string `json:"provider_id,omitempty"`
}

// balanceRequest is smartcore.md 4.11.
type balanceRequest struct {
	Account string `json:"account"`
}

// exportRequest asks for a transaction list (smartcore.md 12); dateTo is a number (smartcore.md A8).
type exportRequest struct {
	Type     string `json:"type"`
	Status   int64  `json:"status"`
	DateFrom int64  `json:"dateFrom"`
	DateTo   int64  `json:"dateTo"`
}

// answer is every field that any endpoint is known to answer with. Names are read in any case (smartcore.md A19), which
// is how encoding/json reads them; scalars are read as text or number alike.
type answer struct {
	Status    number  `json:"status"`
	Success   *bool   `json:"success"`
	Err       text    `json:"err"`
	Message   text    `json:"message"`
	ErrorCode text    `json:"errorMessage"`
	Cascade   cascade `json:"cascadeErrors"`

	OrderID           text `json:"order_id"`
	RefundID          text `json:"refund_id"`
	PaymentID         text `json:"payment_id"`
	ProcessingOrderID text `json:"processing_order_id"`
	Parent            text `json:"parentTransaction"`
	ID                text `json:"id"`

	FormURL      text `json:"form_url"`
	ResponseType text `json:"responseType"`
	ACSURL       text `json:"acsurl"`
	MD           text `json:"md"`
	TermURL      text `json:"termurl"`
	PaReq        text `json:"pareq"`
	CReq         text `json:"creq"`

	Amount          number      `json:"amount"`
	FinalAmount     number      `json:"finalAmount"`
	Currency        text        `json:"currency"`
	Type            text        `json:"type"`
	AuthorizeStatus text        `json:"authorize_status"`
	EndDate         text        `json:"endDate"`
	RRN             text        `json:"rrn"`
	ECI             text        `json:"eci"`
	Card            *cardAnswer `json:"card"`

	Balance        number `json:"balance"`
	HoldBalance    number `json:"holdBalance"`
	RollingBalance number `json:"rollingBalance"`
}

// cardAnswer is a card as the provider shows it.
type cardAnswer struct {
	Number text `json:"number"`
	BIN    text `json:"bin"`
	ISO    text `json:"iso"`
	Type   text `json:"type"`
}

// text is a string, a number or a truth value; null and the provider's words for nothing are empty.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	var value kit.Text
	if err := value.UnmarshalJSON(b); err != nil {
		return err
	}
	if !absent(string(value)) {
		*t = text(value)
	}
	return nil
}

// absent reports whether s is one of the provider's words for no value (smartcore.md 10).
func absent(s string) bool { return s == "" || s == "null" || s == "N/A" }

// number is an integer, or text that holds one. The provider's words for nothing leave it unset.
type number struct{ kit.Number }

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	if absent(strings.Trim(string(b), `"`)) {
		return nil
	}
	return n.Number.UnmarshalJSON(b)
}

// cascade is the list of what the provider's own routes said, in any of its encodings (smartcore.md A9).
type cascade []cascadeItem

type cascadeItem struct {
	Priority number `json:"gatePriority"`
	Code     text   `json:"errorCategory"`
}

// UnmarshalJSON implements json.Unmarshaler. What cannot be read is no cascade: it only refines a failure.
func (c *cascade) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*c = parseCascade(s)
		return nil
	}
	*c = parseCascade(string(b))
	return nil
}

func parseCascade(s string) cascade {
	var items []cascadeItem
	if absent(s) || json.Unmarshal([]byte(s), &items) != nil {
		return nil
	}
	return items
}

// parseAnswer reads an answer. Anything but one JSON object is an error that repeats nothing of it.
func parseAnswer(body []byte) (answer, error) {
	var a answer
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return answer{}, errors.New("not a JSON object")
	}
	if err := json.Unmarshal(trimmed, &a); err != nil {
		return answer{}, errors.New("not the JSON of an answer")
	}
	return a, nil
}
