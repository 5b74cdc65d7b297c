package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/orderid"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// Unconfirmed is a fact of a frozen order's record that nothing confirms which somebody without the keys could not have written.
type Unconfirmed struct {
	Fact   string `json:"fact"`
	Record string `json:"record"`
	// Said is what By says instead. Where nothing says anything By is empty.
	Said string `json:"said"`
	By   string `json:"by"`
}

func (u Unconfirmed) String() string {
	if u.By == "" {
		return fmt.Sprintf("%s is %q, and nothing else says so", u.Fact, u.Record)
	}
	return fmt.Sprintf("%s is %q, and by %s %q", u.Fact, u.Record, u.By, u.Said)
}

// readyWitnesses has in memory what confirms facts of a shop's orders, so that no transaction needs a second connection for it.
func (s *Store) readyWitnesses(ctx context.Context, shop uuid.UUID) (*entries, error) {
	if _, err := s.orderIDs(ctx); err != nil {
		return nil, err
	}
	if _, err := s.shopNumber(ctx, shop); err != nil {
		return nil, err
	}
	return s.entries(ctx)
}

// fact is one of a record, and what else says it.
type fact struct {
	name, record string
	said         *string
	by           string
}

// unconfirmed compares the facts of a record that steer money, and that no history says, with what else says them: the newest
// notification, which is encrypted; the settings, which are sealed; and the id at the provider, which is computed.
func (s *Store) unconfirmed(ctx context.Context, e *entries, o *payment.Order, row *db.Order, page *verifiedPage) (open []Unconfirmed, err error) {
	facts := recordedFacts(o)
	newest, err := s.newestPayload(o.ID, row.DataKey, page.notified[o.ID])
	if err != nil {
		return nil, err
	}
	for i := range facts {
		f := &facts[i]
		switch {
		case f.name == "provider_order_id" && !parentOfMandate(o): // whose id is the provider's or somebody else's
			f.by = "its computation"
			f.said, err = s.computedID(ctx, o, len(page.attempts[o.ID])+1)
		case f.name == "account_id":
			f.said, f.by = e.accountNamed(o), "the accounts"
		case newest != nil:
			f.said, f.by = member(newest.Order, f.name), fmt.Sprintf("notification %d", newest.Sequence)
		}
		if err != nil {
			return nil, err
		}
		switch {
		case f.said == nil && f.record != "":
			open = append(open, Unconfirmed{Fact: f.name, Record: f.record})
		case f.said != nil && *f.said != f.record:
			open = append(open, Unconfirmed{Fact: f.name, Record: f.record, Said: *f.said, By: f.by})
		}
	}
	return open, nil
}

// recordedFacts are named as the members of an order in a notification, where it has them. One that is empty needs no confirmation.
func recordedFacts(o *payment.Order) []fact {
	amount, capture, captureAmount, reported, superseded := "", "automatic", "", "", ""
	if o.SupersededBy != nil {
		superseded = o.SupersededBy.String()
	}
	if o.Amount.Currency() != "" {
		amount = strconv.FormatInt(o.Amount.Minor(), 10)
	}
	if o.Manual {
		capture = "manual"
	}
	if o.CaptureAmount != 0 && o.CaptureAmount != o.Captured { // the history says what was captured
		captureAmount = strconv.FormatInt(o.CaptureAmount, 10)
	}
	if o.ReportedAmount != nil {
		reported = strconv.FormatInt(*o.ReportedAmount, 10)
	}
	facts := []fact{
		{name: "amount", record: amount},
		{name: "currency", record: string(o.Amount.Currency())},
		{name: "amount_authorized", record: strconv.FormatInt(o.Authorized, 10)},
		{name: "superseded_by", record: superseded},
		{name: "capture", record: capture},
		{name: "capture_amount", record: captureAmount},
		{name: "reported_amount", record: reported},
		{name: "flow", record: string(o.Flow)},
		{name: "recurring", record: strconv.FormatBool(o.Recurring)},
		{name: "provider", record: o.Provider},
		{name: "account", record: o.AccountName},
		{name: "account_id", record: o.AccountID.String()},
		{name: "provider_order_id", record: o.ProviderOrderID},
		{name: "provider_reference", record: o.ProviderReference},
		{name: "notification_url", record: o.NotificationURL},
	}
	if o.Disputed+o.Overdrawn > 0 { // the sum of both is that of the disputes
		facts = append(facts, fact{name: "amount_disputed", record: strconv.FormatInt(o.Disputed, 10)})
	}
	return facts
}

// newestPayload is what the newest notification says that still has its payload, nil for none.
func (s *Store) newestPayload(order uuid.UUID, wrapped []byte, notified []db.NotificationsToVerifyRow) (*payloadFacts, error) {
	key, err := s.dataKey(order, wrapped)
	if err != nil {
		return nil, err
	}
	for i := len(notified) - 1; i >= 0; i-- {
		if said, err := payloadFactsOf(key, notified[i]); err != nil || said != nil && said.Order != nil {
			return said, err
		}
	}
	return nil, nil //nolint:nilnil // none is an answer
}

// member is a member of an order in a notification as a text; nil if it has none of that name.
func member(order map[string]any, name string) *string {
	value, there := order[name]
	if !there {
		return nil
	}
	text := ""
	switch v := value.(type) {
	case string:
		text = v
	case bool:
		text = strconv.FormatBool(v)
	case float64:
		text = strconv.FormatInt(int64(v), 10)
	}
	return &text
}

// computedID is our name of an order at its provider in an attempt.
func (s *Store) computedID(ctx context.Context, o *payment.Order, attempt int) (*string, error) {
	reference := o.Reference
	if o.Late() { // it has the id of the payment whose money it carries, whatever attempt that was
		codec, err := s.orderIDs(ctx)
		if err != nil {
			return nil, err
		}
		content, _ := codec.Read(o.ProviderOrderID)
		reference, _ = payment.BeforeLate(reference)
		attempt = max(1, content.Attempt)
	}
	id, err := s.ProviderOrderID(ctx, o.ShopID, o.Kind, reference, min(attempt, orderid.LargestAttempt))
	return &id, err
}

// parentOfMandate reports whether an order has an id at its provider that payrelay did not make.
func parentOfMandate(o *payment.Order) bool { return o.Kind == gateway.KindPayment && o.Imported() }

// accountNamed is the id of the account that an order names, nil if the settings have none.
func (e *entries) accountNamed(o *payment.Order) *string {
	for id, a := range e.accounts {
		if a.Name == o.AccountName && a.Provider == o.Provider {
			text := id.String()
			return &text
		}
	}
	return nil
}
