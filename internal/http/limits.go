package httpapi

import (
	"time"

	"github.com/google/uuid"

	"payrelay/internal/payment"
)

// limitDoc tells of a limit that an order goes beyond. What others have used of it is not told.
type limitDoc struct {
	Scope      string     `json:"scope"`
	Rule       string     `json:"rule"`
	Currency   *string    `json:"currency"`
	Amount     *int64     `json:"amount"`
	Orders     *int64     `json:"orders"`
	UsedAmount *int64     `json:"used_amount"`
	UsedOrders *int64     `json:"used_orders"`
	FreeAt     *time.Time `json:"free_at"`
}

func limitDocOf(h payment.LimitHit) *limitDoc {
	d := &limitDoc{Scope: string(h.Scope), Rule: string(h.Rule), FreeAt: h.FreeAt}
	if h.Currency != "" {
		currency := string(h.Currency)
		d.Currency = &currency
	}
	if h.Amount > 0 {
		d.Amount = &h.Amount
	}
	if h.Orders > 0 {
		d.Orders = &h.Orders
	}
	if !h.Shared() && h.Counts() {
		d.UsedAmount, d.UsedOrders = &h.UsedAmount, &h.UsedOrders
	}
	return d
}

// approvalDoc tells of a payout that the operators must release.
type approvalDoc struct {
	ID        uuid.UUID `json:"id"`
	State     string    `json:"state"`
	ExpiresAt time.Time `json:"expires_at"`
}

func approvalDocOf(a *payment.Approval) *approvalDoc {
	if a == nil {
		return nil
	}
	return &approvalDoc{a.ID, string(a.State), a.ExpiresAt.UTC()}
}
