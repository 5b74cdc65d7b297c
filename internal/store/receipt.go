package store

import (
	"context"
	"encoding/hex"

	"payrelay/internal/seal"
)

// sealedReceipt is what the seal of a receipt covers: all of it.
func sealedReceipt(r *Receipt) *seal.Row {
	row := seal.Of("erasure receipts").UUID(r.ID).Time(r.At).Text(r.Shop).Bool(r.Forced).Int(int64(len(r.Orders)))
	for _, o := range r.Orders {
		row.UUID(o.ID).Text(o.Kind).Text(o.Status).Int(int64(o.Sequence)).Text(o.Currency).Int(o.Amount).Int(o.Captured).Int(o.Refunded).
			Time(o.CreatedAt).Text(o.KeyDigest).Int(int64(len(o.Payloads)))
		for _, p := range o.Payloads {
			row.Int(int64(p.Sequence)).Text(p.SHA256)
		}
	}
	return row
}

// believed returns an error if an erasure repeats a receipt that payrelay has not written, or one of another order.
func (s *Store) believed(ctx context.Context, e Erasure) error {
	if e.Repeats == nil {
		return nil
	}
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	given, err := hex.DecodeString(e.Repeats.Seal)
	if err != nil || !sealer.Matches(sealedReceipt(e.Repeats), given) {
		return notErased("receipt %s has no seal of this service, or was changed. To erase the order by your own word, use 'server erase order'", e.Repeats.ID)
	}
	if len(e.Repeats.Orders) == 0 || e.Repeats.Orders[0].ID != e.Order.Order {
		return notErased("receipt %s is of another order", e.Repeats.ID)
	}
	return nil
}

// repeats returns an error if what would be erased now is not what was erased then. The key itself cannot tell: under another key of the
// keyset it is encrypted anew. A backup may be from before some of the notifications.
func repeats(now, then *Receipt) error {
	erased := map[string]ErasedOrder{}
	for _, o := range then.Orders {
		erased[o.ID.String()] = o
	}
	for _, o := range now.Orders {
		before, known := erased[o.ID.String()]
		if !known {
			continue // a refund that came after the backup was restored goes with its payment
		}
		if o.Kind != before.Kind || o.Currency != before.Currency || o.Amount != before.Amount || !o.CreatedAt.Equal(before.CreatedAt) {
			return notErased("%s %s has another kind, sum or time than receipt %s says. Compare the two, and use 'server erase order'", o.Kind, o.ID, then.ID)
		}
		digests := map[int32]string{}
		for _, p := range before.Payloads {
			digests[p.Sequence] = p.SHA256
		}
		for _, p := range o.Payloads {
			if digest, known := digests[p.Sequence]; known && digest != p.SHA256 {
				return notErased("notification %d of order %s is not the one that receipt %s is about. Compare the two, and use 'server erase order'", p.Sequence, o.ID, then.ID)
			}
		}
	}
	return nil
}
