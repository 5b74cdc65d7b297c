package store

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// BenchmarkSealsOfALife makes and checks what a payment's life of three steps does: three chains, three seals, two checks.
func BenchmarkSealsOfALife(b *testing.B) {
	sealer := seal.New(make([]byte, 32))
	o := &payment.Order{
		ID: uuid.New(), ShopID: uuid.New(), Kind: "payment", Reference: "order-4711", RequestHash: make([]byte, 32), Status: payment.StatusSucceeded, Operation: "sale",
		Amount: money.New(1000, "EUR"), Flow: "hosted", Provider: "smartcore", AccountID: uuid.New(), AccountName: "EUR-1",
		ProviderOrderID: "pr-0123456789abcdefghij", ProviderReference: "0123456789", NotificationURL: "https://shop.example/hook", CreatedAt: time.Now(),
	}
	t := db.InsertTransitionParams{ShopID: o.ShopID, OrderID: o.ID, Sequence: 2, FromStatus: "created", ToStatus: "succeeded", Source: "answer", ProviderData: make([]byte, 120), At: o.CreatedAt}
	b.ReportAllocs()
	for b.Loop() {
		var chain []byte
		for step := range 3 {
			if step > 0 {
				sealer.Matches(sealedOrder(o, chain), chain)
			}
			chain = sealer.Seal(chained(chain, &t))
			sealer.Seal(sealedOrder(o, chain))
		}
	}
}
