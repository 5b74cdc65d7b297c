package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/store/internal/db"
)

// Fields whose ciphertexts are bound to them.
const (
	fieldDataKey       = "data_key"
	fieldWebhookSecret = "webhook_secret"
	fieldCallbackToken = "callback_token"
)

func orderOwner(id uuid.UUID) string   { return "order/" + id.String() }
func shopOwner(id uuid.UUID) string    { return "shop/" + id.String() }
func accountOwner(id uuid.UUID) string { return "account/" + id.String() }

func (s *Store) seal(plain []byte, owner, field string) ([]byte, error) {
	if s.Keyring == nil {
		return nil, errors.New("encrypt: the store was opened without a keyset")
	}
	return s.Keyring.Seal(plain, owner, field)
}

func (s *Store) open(sealed []byte, owner, field string) ([]byte, error) {
	if s.Keyring == nil {
		return nil, errors.New("decrypt: the store was opened without a keyset")
	}
	return s.Keyring.Open(sealed, owner, field)
}

// changeable is what of an order may change, as the statement that writes it wants it, but for the sealed columns:
// those are plain here. Two of them can be compared.
func changeable(o *payment.Order) (db.UpdateOrderParams, error) {
	state, err := plainState(o.ProviderState)
	if err != nil {
		return db.UpdateOrderParams{}, err
	}
	p := db.UpdateOrderParams{
		ShopID: o.ShopID, ID: o.ID,
		Status: string(o.Status), StatusReason: text(o.StatusReason), Operation: string(o.Operation), FormLost: o.FormLost,
		AmountAuthorized: o.Authorized, AmountCaptured: o.Captured, AmountRefunded: o.Refunded, AmountReserved: o.RefundReserved,
		CaptureAmount: o.CaptureAmount, ReportedAmount: o.ReportedAmount, ProviderReference: text(o.ProviderReference), ProviderState: state,
		Sequence: int32(o.Sequence), Conflicts: int32(o.Conflicts), //nolint:gosec // counts of transitions and contradictions
		UpdatedAt: o.UpdatedAt, FinalizedAt: o.FinalizedAt, NextPollAt: o.NextPollAt, PollsSince: o.PollsSince,
		PollsDone: int32(o.PollsDone), Denials: int32(o.Denials), FirstDenialAt: o.FirstDenialAt, //nolint:gosec // counts of polls
		Acknowledged: o.Acknowledged, CommandAccepted: o.CommandAccepted, PendingSince: o.PendingSince, PendingStatus: string(o.PendingStatus),
	}
	if len(o.BankReferences) > 0 {
		if p.BankReferences, err = toJSON(o.BankReferences); err != nil {
			return p, err
		}
	}
	if o.NextAction != nil {
		if p.NextAction, err = toJSON(o.NextAction); err != nil {
			return p, err
		}
	}
	if o.PaymentMethod != nil {
		if p.PaymentMethod, err = toJSON(o.PaymentMethod); err != nil {
			return p, err
		}
	}
	if o.Failure != nil {
		if p.Failure, err = toJSON(o.Failure); err != nil {
			return p, err
		}
	}
	return p, nil
}

// insertion is a new order as the statement that writes it wants it.
func (s *Store) insertion(ctx context.Context, o *payment.Order) (db.InsertOrderParams, error) {
	if n := len(o.Transitions()); n != 1 || o.Sequence != 1 {
		return db.InsertOrderParams{}, fmt.Errorf("a new order begins with one transition, this one has %d", n)
	}
	c, err := changeable(o)
	if err != nil {
		return db.InsertOrderParams{}, err
	}
	key, wrapped, err := s.newDataKey(o.ID)
	if err != nil {
		return db.InsertOrderParams{}, err
	}
	sealOrder(&c, key)
	metadata, err := toJSONObject(o.Metadata)
	if err != nil {
		return db.InsertOrderParams{}, err
	}
	history, chain, err := s.transitions(ctx, nil, key, o)
	if err != nil {
		return db.InsertOrderParams{}, err
	}
	sealer, err := s.sealer(ctx)
	if err != nil {
		return db.InsertOrderParams{}, err
	}
	first := history[0]
	p := db.InsertOrderParams{
		ShopID: o.ShopID, ID: o.ID, Kind: string(o.Kind), Reference: o.Reference, RequestHash: o.RequestHash,
		Status: c.Status, StatusReason: c.StatusReason, Operation: c.Operation, ManualCapture: o.Manual, FormLost: o.FormLost,
		AmountAuthorized: o.Authorized, AmountCaptured: o.Captured, AmountRefunded: o.Refunded, AmountReserved: o.RefundReserved,
		CaptureAmount: o.CaptureAmount, ReportedAmount: o.ReportedAmount, Flow: string(o.Flow), Recurring: o.Recurring, Cascade: string(o.Cascade),
		Provider: o.Provider, AccountID: o.AccountID, AccountName: o.AccountName, ProviderOrderID: o.ProviderOrderID,
		ProviderReference: c.ProviderReference, BankReferences: c.BankReferences, DataKey: wrapped, ProviderState: c.ProviderState, NextAction: c.NextAction, Details: key.Seal(o.Details, placeDetails),
		PaymentMethod: c.PaymentMethod, Failure: c.Failure, Routing: o.Routing, ParentID: o.ParentID, Description: o.Description, Metadata: metadata,
		NotificationUrl: o.NotificationURL, Sequence: c.Sequence, Conflicts: c.Conflicts, CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt,
		FinalizedAt: o.FinalizedAt, NextPollAt: o.NextPollAt, PollsSince: o.PollsSince, PollsDone: c.PollsDone,
		Denials: c.Denials, FirstDenialAt: o.FirstDenialAt,
		Acknowledged: c.Acknowledged, CommandAccepted: c.CommandAccepted, PendingSince: c.PendingSince, PendingStatus: c.PendingStatus,
		Source: first.Source, ProviderData: first.ProviderData, At: first.At, Chain: chain, Seal: sealer.Seal(sealedOrder(o, chain)),
		KeyID: payment.KeyIDOf(ctx),
	}
	if p.RequestHash == nil {
		p.RequestHash = []byte{}
	}
	if currency := string(o.Amount.Currency()); currency != "" {
		minor := o.Amount.Minor()
		p.Amount, p.Currency = &minor, &currency
	}
	return p, nil
}

// sealOrder encrypts what must be, in place. What did not change keeps its ciphertext.
func sealOrder(p *db.UpdateOrderParams, key *secrets.DataKey) {
	p.ProviderState, p.NextAction = key.Seal(p.ProviderState, placeProviderState), key.Seal(p.NextAction, placeNextAction)
}

// order turns a row into an order. One whose row is not as it was written, or cannot be decrypted, is frozen.
func (s *Store) order(ctx context.Context, r *db.Order) (*payment.Order, error) {
	o, _, err := s.orderAndKey(ctx, r)
	return o, err
}

func (s *Store) orderAndKey(ctx context.Context, r *db.Order) (*payment.Order, *secrets.DataKey, error) {
	o, err := s.facts(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	key, err := s.dataKey(r.ID, r.DataKey)
	if errors.Is(err, errNoKeyset) {
		return nil, nil, err
	}
	if err == nil {
		err = readParts(o, r, key)
	}
	if err != nil {
		o.Frozen = true
		s.sealBroken(unreadable("orders", r.ID.String(), err))
	}
	return o, key, nil
}

// facts is an order but for the columns that hold JSON or are encrypted.
func (s *Store) facts(ctx context.Context, r *db.Order) (*payment.Order, error) {
	o := &payment.Order{
		ID: r.ID, ShopID: r.ShopID, Kind: gateway.Kind(r.Kind), Reference: r.Reference, RequestHash: r.RequestHash,
		Status: payment.Status(r.Status), StatusReason: r.StatusReason, Operation: gateway.Operation(r.Operation), Manual: r.ManualCapture, FormLost: r.FormLost,
		Authorized: r.AmountAuthorized, Captured: r.AmountCaptured, Refunded: r.AmountRefunded, RefundReserved: r.AmountReserved,
		CaptureAmount: r.CaptureAmount, ReportedAmount: r.ReportedAmount, Disputed: r.AmountDisputed, Overdrawn: r.AmountOverdrawn, DisputesOpen: int(r.DisputesOpen), Flow: gateway.Flow(r.Flow), Recurring: r.Recurring, Cascade: payment.Cascade(r.Cascade),
		Provider: r.Provider, AccountID: r.AccountID, AccountName: r.AccountName, ProviderOrderID: r.ProviderOrderID,
		ProviderReference: r.ProviderReference, ParentID: r.ParentID, SupersededBy: r.SupersededBy, Description: r.Description, NotificationURL: r.NotificationUrl,
		Sequence: int(r.Sequence), Conflicts: int(r.Conflicts), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		FinalizedAt: utc(r.FinalizedAt), Erased: r.DataKey == nil, Routing: r.Routing,
		Verification: payment.Verification{
			NextPollAt: utc(r.NextPollAt), PollsSince: r.PollsSince.UTC(), PollsDone: int(r.PollsDone),
			Denials: int(r.Denials), FirstDenialAt: utc(r.FirstDenialAt), Acknowledged: r.Acknowledged, CommandAccepted: r.CommandAccepted,
			PendingSince: utc(r.PendingSince), PendingStatus: payment.Status(r.PendingStatus),
		},
	}
	if r.Amount != nil && r.Currency != nil {
		currency, err := money.KnownCurrency(*r.Currency)
		if err != nil { // payrelay writes none that it does not know
			o.Frozen = true
			s.sealBroken(Finding{"orders", r.ID.String(), sealFinding})
			return o, nil
		}
		o.Amount = money.New(*r.Amount, currency)
	}
	return o, s.checkSeal(ctx, o, r)
}

// readParts reads the columns that hold JSON, encrypted or not.
func readParts(o *payment.Order, r *db.Order, key *secrets.DataKey) (err error) {
	if o.Details, err = key.Open(r.Details, placeDetails); err != nil {
		return err
	}
	state, err := key.Open(r.ProviderState, placeProviderState)
	if err != nil {
		return err
	}
	action, err := key.Open(r.NextAction, placeNextAction)
	if err != nil {
		return err
	}
	var plain map[string]string
	err = errors.Join(
		fromJSON(state, &plain), fromJSON(action, &o.NextAction), fromJSON(r.PaymentMethod, &o.PaymentMethod),
		fromJSON(r.Failure, &o.Failure), fromJSON(r.Metadata, &o.Metadata), fromJSON(r.BankReferences, &o.BankReferences),
	)
	if plain != nil {
		o.ProviderState = hidden(plain)
	}
	return err
}

// plainState writes a provider's state with its secrets in the clear, for encrypting.
func plainState(state map[string]gateway.Secret) ([]byte, error) {
	if len(state) == 0 {
		return nil, nil
	}
	plain := make(map[string]string, len(state))
	for k, v := range state {
		plain[k] = v.Reveal()
	}
	return json.Marshal(plain)
}

func hidden(plain map[string]string) map[string]gateway.Secret {
	secret := make(map[string]gateway.Secret, len(plain))
	for k, v := range plain {
		secret[k] = gateway.Secret(v)
	}
	return secret
}

// toJSON writes v as Postgres can store it: jsonb has no NUL, which a provider may well send.
func toJSON(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	nul, replacement := []byte(`\u0000`), []byte(`\ufffd`)
	if !bytes.Contains(b, nul) {
		return b, nil
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(b[i:], nul) {
			copy(b[i:], replacement)
		}
		i++ // the escaped character, which may be a backslash itself
	}
	return b, nil
}

// toJSONObject is toJSON for maps, with {} for nil.
func toJSONObject[M ~map[string]string](m M) (json.RawMessage, error) {
	if len(m) == 0 {
		return json.RawMessage("{}"), nil
	}
	return toJSON(m)
}

func fromJSON(b []byte, to any) error {
	if b == nil {
		return nil
	}
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("read stored JSON: %w", err)
	}
	return nil
}

// text makes what a provider said storable.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

func texts(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = text(s)
	}
	return out
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// providerDataOf reads stored evidence; none is nil.
func providerDataOf(b []byte) (gateway.ProviderData, error) {
	var e gateway.ProviderData
	if err := fromJSON(b, &e); err != nil || len(e) == 0 {
		return nil, err
	}
	return e, nil
}
