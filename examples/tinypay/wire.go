package tinypay

// newPayment is the body of POST /payments. Sums are integers in minor units.
type newPayment struct {
	ID          string `json:"id"`
	Amount      int64  `json:"amount"`
	Currency    string `json:"currency"`
	Description string `json:"description,omitempty"`
	ReturnURL   string `json:"return_url"`
	CallbackURL string `json:"callback_url,omitempty"`
}

// newRefund is the body of POST /payments/{id}/refunds.
type newRefund struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount"`
}

// answer is every answer and every callback. Members that do not apply are missing.
type answer struct {
	ID        string `json:"id"`        // ours
	Reference string `json:"reference"` // Tinypay's
	State     string `json:"state"`
	PayURL    string `json:"pay_url"` // while the customer has not paid
	Amount    *int64 `json:"amount"`
	Currency  string `json:"currency"`
	Refunded  *int64 `json:"refunded"`
	Movement  string `json:"movement"` // names the movement of money
	Reason    string `json:"reason"`   // why it was declined
	Error     string `json:"error"`    // why the call was not taken
}
