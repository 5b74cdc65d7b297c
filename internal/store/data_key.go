package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/store/internal/db"
)

// Places of what is encrypted under an order's data key.
const (
	placeProviderState = "orders.provider_state"
	placeNextAction    = "orders.next_action"
	placeDetails       = "orders.details"
	placeTransition    = "order_transitions.provider_data"
	placeConflict      = "order_conflicts.provider_data"
	placeCall          = "provider_calls.provider_data"
	placeCallback      = "callbacks.provider_data"
	placePayload       = "notifications.payload"
	placeReportRow     = "transaction_report_rows.fields"
)

// dataColumn is a column whose texts are encrypted under their order's data key. A test compares the list with the schema.
type dataColumn struct{ table, column, order string }

func (c dataColumn) place() string { return c.table + "." + c.column }

var dataColumns = []dataColumn{
	{"orders", "provider_state", "id"},
	{"orders", "next_action", "id"},
	{"orders", "details", "id"},
	{"order_transitions", "provider_data", "order_id"},
	{"order_conflicts", "provider_data", "order_id"},
	{"provider_calls", "provider_data", "order_id"},
	{"callbacks", "provider_data", "order_id"},
	{"notifications", "payload", "order_id"},
	{"transaction_report_rows", "fields", "order_id"},
}

var errNoKeyset = errors.New("the store was opened without a keyset")

// newDataKey makes the key of a new order. Whoever destroys it where it rests, in the order's row, erases the order.
func (s *Store) newDataKey(order uuid.UUID) (key *secrets.DataKey, wrapped []byte, err error) {
	if s.Keyring == nil {
		return nil, nil, errNoKeyset
	}
	return s.Keyring.NewDataKey(orderOwner(order))
}

// dataKey returns an order's key; that of an erased order is nil. It is kept nowhere: an erasure holds at once, on every replica.
func (s *Store) dataKey(order uuid.UUID, wrapped []byte) (*secrets.DataKey, error) {
	if s.Keyring == nil && wrapped != nil {
		return nil, errNoKeyset
	}
	return s.Keyring.DataKey(wrapped, orderOwner(order))
}

// sealData encrypts what a provider said. Nothing said is nil.
func sealData(key *secrets.DataKey, said gateway.ProviderData, place string) ([]byte, error) {
	if len(said) == 0 {
		return nil, nil
	}
	plain, err := toJSON(said)
	if err != nil {
		return nil, err
	}
	return key.Seal(plain, place), nil
}

// openData decrypts what a provider said.
func openData(key *secrets.DataKey, sealed []byte, place string) (gateway.ProviderData, error) {
	plain, err := key.Open(sealed, place)
	if err != nil {
		return nil, err
	}
	return providerDataOf(plain)
}

// unreadableData stands for what a provider said in a row that was altered.
var unreadableData = gateway.ProviderData{"unreadable": "the row was changed by something else than payrelay"}

// evidence opens what providers said of an order, for people: one altered row hides no other.
type evidence struct {
	store *Store
	order uuid.UUID
	key   *secrets.DataKey
	lost  error // why nothing can be opened
	table string
	place string
}

// evidenceOf returns what opens the rows of a table about an order.
func (s *Store) evidenceOf(order uuid.UUID, wrapped []byte, table, place string) (*evidence, error) {
	key, err := s.dataKey(order, wrapped)
	if errors.Is(err, errNoKeyset) {
		return nil, err
	}
	return &evidence{s, order, key, err, table, place}, nil
}

// open decrypts a row.
func (e *evidence) open(sealed []byte) gateway.ProviderData {
	if sealed == nil {
		return nil
	}
	said, err := gateway.ProviderData(nil), e.lost
	if err == nil {
		said, err = openData(e.key, sealed, e.place)
	}
	if err != nil {
		e.store.sealBroken(unreadable(e.table, e.order.String(), err))
		return unreadableData
	}
	return said
}

// unreadable is the finding of a row that cannot be decrypted.
func unreadable(table, id string, err error) Finding {
	return Finding{table, id, "the row cannot be read: " + err.Error()}
}

// openPayload decrypts what was signed and sent. It is nil once it was removed.
func (s *Store) openPayload(order uuid.UUID, wrapped, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	key, err := s.dataKey(order, wrapped)
	if err != nil {
		return nil, err
	}
	return key.Open(sealed, placePayload)
}

// usablePayload is openPayload, but that an altered row is reported, and has none.
func (s *Store) usablePayload(order uuid.UUID, sequence int32, wrapped, sealed []byte) (payload []byte, whole bool, err error) {
	payload, err = s.openPayload(order, wrapped, sealed)
	if err == nil || errors.Is(err, errNoKeyset) {
		return payload, err == nil, err
	}
	s.sealBroken(unreadable("notifications", fmt.Sprintf("%s/%d", order, sequence), err))
	return nil, false, nil
}

// lockedOrder is an order whose row is locked, to be changed.
type lockedOrder struct {
	*payment.Order
	row    *db.Order
	parent *db.Order // a refund's payment, locked too
	// payment is that of a failed refund, to be changed with it.
	payment *lockedOrder
	key     *secrets.DataKey
	before  db.UpdateOrderParams // what it is compared with afterwards
}

// loaded returns a locked row as an order to be judged. A frozen one is an error.
func (s *Store) loaded(ctx context.Context, row, parent *db.Order) (*lockedOrder, error) {
	o, key, err := s.orderAndKey(ctx, row)
	if err == nil {
		err = s.usable(o)
	}
	if err != nil {
		return nil, err
	}
	before, err := changeable(o)
	if err != nil {
		return nil, err
	}
	locked := &lockedOrder{Order: o, row: row, parent: parent, key: key, before: before}
	return locked, s.loadPayment(ctx, locked)
}

// loadPayment gives a failed refund its payment: a refund that was carried out after all is a dispute of it. One that is frozen is
// left out, and nothing is written of it.
func (s *Store) loadPayment(ctx context.Context, refund *lockedOrder) error {
	if refund.parent == nil || refund.FinalizedAt == nil || refund.Status == payment.StatusSucceeded || refund.SupersededBy != nil {
		return nil
	}
	paid, err := s.loaded(ctx, refund.parent, nil)
	switch {
	case errors.Is(err, payment.ErrFrozen):
		return nil
	case err == nil:
		refund.payment = paid
		refund.SetPayment(paid.Order)
	}
	return err
}
