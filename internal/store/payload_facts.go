package store

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"payrelay/internal/secrets"
	"payrelay/internal/store/internal/db"
)

// payloadFacts are what the payload of a notification says of itself and of its order: the contract with shops.
type payloadFacts struct {
	ID       uuid.UUID      `json:"id"`
	Type     string         `json:"type"`
	Sequence int32          `json:"sequence"`
	Order    map[string]any `json:"order"`
}

// payloadFactsOf reads a notification's payload, which is nil once it was removed. It is encrypted, so only payrelay has written it; which row it
// stands in is no part of that.
func payloadFactsOf(key *secrets.DataKey, n db.NotificationsToVerifyRow) (*payloadFacts, error) {
	payload, err := key.Open(n.Payload, placePayload)
	if err != nil || payload == nil {
		return nil, err
	}
	var t payloadFacts
	if err := json.Unmarshal(payload, &t); err != nil {
		return nil, fmt.Errorf("read the payload: %w", err)
	}
	return &t, nil
}

// notifications verifies that an order's notifications can be read, and that each says what its payload says.
func (v *verification) notifications(p *verifiedPage, row *db.Order, key *secrets.DataKey) {
	for _, n := range p.notified[row.ID] {
		name := fmt.Sprintf("%s/%d", row.ID, n.Sequence)
		said, err := payloadFactsOf(key, n)
		switch {
		case err != nil:
			v.found(unreadable("notifications", name, err))
		case said != nil && (said.ID != n.ID || said.Type != n.Type || said.Sequence != n.Sequence):
			v.found(Finding{"notifications", name, "the row is not that of its payload: its id, type or sequence was changed, or the payload of another step put in"})
		case row.NotificationUrl != "" && n.Url != row.NotificationUrl:
			v.found(Finding{"notifications", name, "the address is not the order's"})
		}
	}
}
