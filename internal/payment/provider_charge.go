package payment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/plural"
)

// A provider may charge a mandate by its own schedule. Each such charge becomes an order, so that it is counted and notified, and can
// be refunded. One that the terms do not allow took money all the same: it is an order, and a dispute asks the shop what is to become
// of it.

// ProviderChargeMark stands in the reference of such an order: after that of the first payment, and before a hash of the provider's id of
// the charge. So one charge has one reference, however often and by whomever it is seen.
const ProviderChargeMark = "~sub-"

var providerChargeReference = regexp.MustCompile(`~sub-[0-9a-f]{16}$`)

// ReservedReference reports whether only payrelay gives a reference: that of late money, or of a charge by a schedule.
func ReservedReference(reference string) bool {
	_, late := BeforeLate(reference)
	return late || providerChargeReference.MatchString(reference) || dueReference.MatchString(reference)
}

// ProviderCharged reports whether the provider made this charge by its own schedule.
func (o *Order) ProviderCharged() bool {
	return o.charges() && providerChargeReference.MatchString(o.Reference)
}

// ProviderCharge is a new order for a charge that a provider made by its own schedule. The store writes the order as it is at first,
// then has it completed, and writes the rest.
type ProviderCharge struct {
	Order *Order
	r     Observation
	// against is which term does not allow it, "" for none.
	against string
}

// Complete records what became of the charge, and opens a dispute about one that took money against the terms.
func (c *ProviderCharge) Complete() {
	c.Order.Record(c.r)
	if c.against != "" {
		c.Order.openUnasked([]unasked{{DisputeUnauthorizedCharge, c.Order.Captured, c.against}}, c.r)
	}
}

// shownCharge is a charge as the provider shows it, with the names of its order.
type shownCharge struct {
	gateway.Result
	reference, orderID string
}

// KnownCharge is a charge that has an order already.
type KnownCharge struct {
	Key    Key
	Status Status
}

// readableCharge reports whether a charge says by itself which one it is, and of what sum.
func readableCharge(r gateway.Result) bool {
	return r.ProviderReference != "" && r.Amount != nil && *r.Amount > 0
}

// providerChargeReferenceOf is the reference of the order for a charge.
func providerChargeReferenceOf(first *Order, providerReference string) string {
	sum := sha256.Sum256([]byte(providerReference))
	return first.Reference + ProviderChargeMark + hex.EncodeToString(sum[:8])
}

// recordProviderCharges writes down the charges of a mandate's provider that are not known yet. However many do so at once, each charge
// becomes one order.
func (s *Service) recordProviderCharges(ctx context.Context, first *Order, all []gateway.Result) error {
	if len(all) == 0 || first.Status != StatusSucceeded || !first.Recurring {
		return nil
	}
	var shown []shownCharge
	var references []string
	for _, r := range all {
		if !readableCharge(r) {
			continue
		}
		reference := providerChargeReferenceOf(first, r.ProviderReference)
		id, err := s.Store.ProviderOrderID(ctx, first.ShopID, first.Kind, reference, 1)
		if err != nil {
			return err
		}
		shown, references = append(shown, shownCharge{r, reference, id}), append(references, reference)
	}
	var known map[string]KnownCharge
	made, err := s.Store.CreateProviderCharges(ctx, first.Key(), references, func(m *Mandate, there map[string]KnownCharge) []*ProviderCharge {
		known = there
		return m.providerCharges(shown, known, s.Now())
	})
	for _, c := range made {
		s.Observe(Event{
			Provider: first.Provider, Source: SourceStatusPoll, Verdict: Apply, Kind: first.Kind, Order: c.Order.ID, Account: first.AccountName, Ended: c.ended(),
		})
	}
	for _, c := range shown {
		if k, ok := known[c.reference]; err == nil && ok && (Status(c.Status) != k.Status || c.Refunded != nil) {
			err = s.observeScheduled(ctx, k, c)
		}
	}
	return err
}

// observeScheduled records what the provider shows of a charge that has an order: nobody else asks about it any more. Its money may
// have gone back since, or have come although it was refused.
func (s *Service) observeScheduled(ctx context.Context, known KnownCharge, c shownCharge) error {
	event := Event{Source: SourceStatusPoll}
	o, err := s.Store.UpdateOrder(ctx, known.Key, func(o *Order) error {
		event.Verdict = o.observe(s.policy(), ObservationOf(c.Result, SourceStatusPoll, 0, s.Now()))
		event.Conflicts, event.Ended = len(o.NewConflicts()), o.endedNow()
		return nil
	})
	if err != nil {
		return err
	}
	event.Provider, event.Kind, event.Order, event.Account = o.Provider, o.Kind, o.ID, o.AccountName
	s.Observe(event)
	return nil
}

// providerCharges are the new orders for the charges that are not known, in their order.
func (m *Mandate) providerCharges(shown []shownCharge, known map[string]KnownCharge, now time.Time) (all []*ProviderCharge) {
	for _, c := range shown {
		if _, there := known[c.reference]; there {
			continue
		}
		charge := m.providerCharge(c, now)
		if charge.r.Status == StatusSucceeded {
			charge.against = m.outside(*c.Amount, now)
			m.Succeeded++
		}
		all = append(all, charge)
	}
	return all
}

// providerCharge is a new order for a charge, where the first payment is at the provider.
func (m *Mandate) providerCharge(c shownCharge, now time.Time) *ProviderCharge {
	first := m.First
	r := ObservationOf(c.Result, SourceStatusPoll, 0, now)
	o := &Order{
		ID: idAt(now), ShopID: first.ShopID, Kind: first.Kind, Reference: c.reference, ParentID: &first.ID, Operation: gateway.OpSale,
		Amount: money.New(*c.Amount, first.Amount.Currency()), Flow: first.Flow, Provider: first.Provider, AccountID: first.AccountID,
		AccountName: first.AccountName, ProviderOrderID: c.orderID, ProviderReference: c.ProviderReference, ProviderState: maps.Clone(c.State),
		Description: first.Description, Details: first.Details, Metadata: first.Metadata, NotificationURL: first.NotificationURL, CreatedAt: now, UpdatedAt: now,
	}
	o.PollsSince = now
	o.step(StatusCreated, r.Source, nil, now)
	o.snapshot()
	return &ProviderCharge{Order: o, r: r}
}

// outside is which term does not allow a charge that the provider has made, "" for none. When it was made is not known: it was seen
// now. So the last one before the end is allowed for as long as it is looked for.
func (m *Mandate) outside(minor int64, now time.Time) string {
	switch {
	case m.Decision == MandateRevoke:
		return "the provider charged after the mandate was revoked at " + m.DecidedAt.UTC().Format(time.RFC3339)
	case m.ExpiresAt != nil && now.After(m.ExpiresAt.Add(chargeComesWithin)):
		return "the provider charged after the mandate expired at " + m.ExpiresAt.UTC().Format(time.RFC3339)
	case minor > m.MaxAmount:
		return fmt.Sprintf("the provider charged %d, and the mandate allows at most %d", minor, m.MaxAmount)
	case m.MaxCharges > 0 && m.Succeeded >= m.MaxCharges:
		return fmt.Sprintf("the mandate allows %s, and this is one more", plural.Of(m.MaxCharges, "charge", "charges"))
	}
	return ""
}

// ended is how the charge came to its end, for counting.
func (c *ProviderCharge) ended() *Ended {
	if !c.Order.Status.Final() {
		return nil
	}
	e := c.Order.asEnded()
	e.Unauthorized = c.against != ""
	return e
}

// noteUnreadable calls a person about charges that the provider shows without a sum: no order can be made of them. Each is told of once.
func (o *Order) noteUnreadable(all []gateway.Result, at time.Time) {
	for _, r := range all {
		if readableCharge(r) || o.contradictionsKnown(r.BankReferences) {
			continue
		}
		o.contradict(ObservationOf(r, SourceStatusPoll, o.Sequence, at), "the provider shows a later charge of the mandate without its sum")
		o.noteReferences(r.BankReferences, "")
	}
}
