package simulation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/orderid"
	"payrelay/internal/payment"
)

// store keeps orders in memory, as payment.Store says. A transaction works on copies, and its commit is one instant.
type store struct {
	payment.MandateStore // CreateCharge is all that the scenarios use of it
	w                    *world
	orders               []*record
	accounts             []payment.Account // in the order of the scenario's routing
	received             map[string]*received
	places               [][]payment.Order
	used                 int
}

// record is an order with what belongs to it.
type record struct {
	order         payment.Order
	transitions   []payment.Transition
	conflicts     []payment.ConflictRecord
	calls         []uuid.UUID
	ended         []payment.EndedAttempt
	notifications []notification
	// pollAt is when the next status poll is planned, or negative.
	pollAt time.Duration
}

// notification is what a shop is to hear of one transition.
type notification struct {
	sequence                     int
	status                       payment.Status
	captured, refunded, reserved int64
}

// received is a callback that was taken in.
type received struct {
	order    *record
	reported string
	verdict  payment.Verdict
}

func newStore(w *world) *store {
	return &store{w: w, received: map[string]*received{}, accounts: allAccounts()}
}

func (s *store) reset() {
	clear(s.orders)
	s.orders = s.orders[:0]
	clear(s.received)
	s.used = 0
}

// atRest reports whether no order is to be asked about any more.
func (s *store) atRest() bool {
	return !slices.ContainsFunc(s.orders, func(r *record) bool { return r.order.NextPollAt != nil })
}

func (s *store) find(key payment.Key) *record {
	for _, r := range s.orders {
		if r.order.ID == key.Order && r.order.ShopID == key.Shop {
			return r
		}
	}
	return nil
}

func (s *store) byProviderOrderID(id string) *record {
	for _, r := range s.orders {
		if r.order.ProviderOrderID == id && r.order.SupersededBy == nil {
			return r
		}
	}
	return nil
}

// copied returns an order as a transaction loads it. It shares nothing with the row that the order may change.
func (s *store) copied(o *payment.Order) *payment.Order {
	c := s.next()
	*c = *o
	c.ProviderState = maps.Clone(o.ProviderState)
	c.BankReferences = maps.Clone(o.BankReferences)
	return c
}

// next returns a place for an order that is free until the scenario is over: most of the time went into making new ones.
func (s *store) next() *payment.Order {
	const block = 32
	if s.used == len(s.places)*block {
		s.places = append(s.places, make([]payment.Order, block))
	}
	place := &s.places[s.used/block][s.used%block]
	s.used++
	return place
}

// CreateOrder implements payment.Store.
func (s *store) CreateOrder(_ context.Context, o *payment.Order) (*payment.Order, bool, error) {
	s.w.step(true)
	return s.insert(o)
}

// CheckLimits implements payment.Store: there are none.
func (s *store) CheckLimits(context.Context, *payment.Order) error { return nil }

// ApprovalAccount implements payment.Store: no payout waits for a release.
func (s *store) ApprovalAccount(context.Context, uuid.UUID, string, []byte) (string, error) {
	return "", nil
}

// insert writes a new order, unless its reference is taken.
func (s *store) insert(o *payment.Order) (*payment.Order, bool, error) {
	if r := s.byReference(o); r != nil {
		return s.copied(&r.order), false, nil
	}
	r := &record{pollAt: -1}
	s.orders = append(s.orders, r)
	s.commit(r, o)
	s.w.step(true)
	return o, true, nil
}

// CreateRefund implements payment.Store. What is checked and written is one transaction.
func (s *store) CreateRefund(_ context.Context, o *payment.Order, check func(payment.OtherRefunds) error) (*payment.Order, bool, error) {
	s.w.step(true)
	parent := s.find(payment.Key{Shop: o.ShopID, Order: *o.ParentID})
	if parent == nil {
		return nil, false, payment.ErrNotFound
	}
	if s.byReference(o) == nil {
		if err := check(s.otherRefunds(parent)); err != nil {
			return nil, false, err
		}
		if reserved, _ := o.ParentDelta(); parent.order.RefundReserved+reserved > parent.order.Captured {
			return nil, false, &payment.Error{Code: payment.CodeRefundTooLarge, Message: "too much"}
		}
	}
	return s.insert(o)
}

// otherRefunds is how the refunds of a payment stand.
func (s *store) otherRefunds(paid *record) (others payment.OtherRefunds) {
	for _, r := range s.refunds(paid) {
		if !r.order.Status.Final() {
			others.Open = append(others.Open, r.order.ID)
		}
		if r.order.Contested() {
			others.Contested, others.ContestedMinor = append(others.Contested, r.order.ID), others.ContestedMinor+r.order.Amount.Minor()
		}
	}
	others.Left = paid.order.Captured - paid.order.RefundReserved - paid.order.Disputed
	return others
}

// CreateCharge implements payment.Store. What is checked and written is one transaction.
func (s *store) CreateCharge(_ context.Context, o *payment.Order, check func(*payment.Mandate) error) (*payment.Order, bool, error) {
	s.w.step(true)
	first := s.find(payment.Key{Shop: o.ShopID, Order: *o.ParentID})
	if first == nil {
		return nil, false, payment.ErrNoMandate
	}
	if s.byReference(o) == nil {
		if err := check(s.mandate(first)); err != nil {
			return nil, false, err
		}
	}
	return s.insert(o)
}

// mandate puts the mandate of a payment together.
func (s *store) mandate(first *record) *payment.Mandate {
	m := &payment.Mandate{MandateTerms: *first.order.Terms, First: s.copied(&first.order)}
	for _, r := range s.orders {
		o := &r.order
		if o.Kind != gateway.KindPayment || o.ParentID == nil || *o.ParentID != first.order.ID {
			continue
		}
		if o.Status == payment.StatusSucceeded || o.SupersededBy != nil {
			m.Succeeded++
			m.LastAt = o.FinalizedAt
		}
		if !o.Status.Final() || o.Conflicts > 0 {
			m.Open = &o.ID
		}
	}
	return m
}

// byReference returns the order whose reference o has.
func (s *store) byReference(o *payment.Order) *record {
	for _, r := range s.orders {
		if r.order.ShopID == o.ShopID && r.order.Kind == o.Kind && r.order.Reference == o.Reference {
			return r
		}
	}
	return nil
}

// UpdateOrder implements payment.Store.
func (s *store) UpdateOrder(_ context.Context, key payment.Key, fn func(*payment.Order) error) (*payment.Order, error) {
	s.w.step(true)
	r := s.find(key)
	if r == nil {
		return nil, payment.ErrNotFound
	}
	if s.w.chance(s.w.faults.retriedCommit) {
		retried, _ := s.loaded(r)
		_ = fn(retried) // the database ended this transaction, and it is run again
	}
	o, paid := s.loaded(r)
	if err := fn(o); err != nil {
		return nil, err
	}
	for _, c := range o.NewCalls() {
		if c.ID != uuid.Nil && slices.Contains(r.calls, c.ID) {
			return nil, payment.ErrRecorded
		}
	}
	s.commit(r, o)
	s.commitPayment(paid)
	s.w.step(true)
	return o, nil
}

// loaded returns a copy of an order, and with a failed refund one of its payment.
func (s *store) loaded(r *record) (o, paid *payment.Order) {
	o = s.copied(&r.order)
	if o.Kind == gateway.KindRefund && o.Status.Final() && o.Status != payment.StatusSucceeded && o.SupersededBy == nil {
		paid = s.copied(&s.find(payment.Key{Shop: o.ShopID, Order: *o.ParentID}).order)
		o.SetPayment(paid)
	}
	return o, paid
}

// commitPayment saves the payment of a failed refund that was carried out after all, in the transaction of the refund.
func (s *store) commitPayment(paid *payment.Order) {
	if paid != nil && len(paid.Transitions()) > 0 {
		s.commit(s.find(paid.Key()), paid)
	}
}

// commit saves what an order gathered, and judges it by what the database would refuse.
func (s *store) commit(r *record, o *payment.Order) {
	before := r.order
	for _, c := range o.NewCalls() {
		if c.ID != uuid.Nil {
			r.calls = append(r.calls, c.ID)
		}
	}
	for _, t := range o.Transitions() {
		s.w.checkTransition(r, t, o)
		r.transitions = append(r.transitions, t)
		if t.To != payment.StatusCreated {
			r.notify(t, o)
		}
	}
	r.conflicts = append(r.conflicts, o.NewConflicts()...)
	for _, c := range o.NewConflicts() {
		s.w.say("%s: conflict: %s", s.name(r, o), c.Reason)
	}
	if reserved, refunded := o.ParentDelta(); reserved != 0 || refunded != 0 {
		parent := s.find(payment.Key{Shop: o.ShopID, Order: *o.ParentID})
		parent.order.MoveRefunds(reserved, refunded)
		s.w.checkSums(parent)
	}
	for _, e := range o.NewEndedAttempts() {
		s.w.checkMove(&before, r, e)
		s.w.say("%s: attempt %d at %s has ended (%s), it goes to %s", s.name(r, o), e.Number, e.AccountName, e.Reason, o.AccountName)
		r.ended = append(r.ended, e)
	}
	fresh, late := o.Transitions(), o.NewLate()
	o.EndedAttempt = nil
	o.Saved()
	r.order = *o
	s.w.checkSums(r)
	s.w.checkVerification(&r.order)
	s.w.checkStep(&before, r)
	s.planPoll(r)
	if p := s.w.current; p != nil && p.found != nil {
		p.found.denials, p.found = 0, nil // what it found is on record: a provider that denies it now begins anew
	}
	for _, t := range fresh {
		s.w.say("%s: %s → %s (%s%s)", s.name(r, o), t.From, t.To, t.Source, reasonOf(o))
		s.w.shop.hear(r, t)
	}
	if late != nil {
		s.commitLate(late)
	}
}

// commitLate saves the order that carries late money, in the transaction of the order that it supersedes.
func (s *store) commitLate(late *payment.LateSuccess) {
	r := &record{pollAt: -1}
	s.orders = append(s.orders, r)
	s.commit(r, late.Order)
	late.Complete()
	s.commit(r, late.Order)
}

func reasonOf(o *payment.Order) string {
	if o.StatusReason == "" {
		return ""
	}
	return ": " + o.StatusReason
}

// name is what the timeline calls an order.
func (s *store) name(r *record, o *payment.Order) string {
	n := slices.Index(s.orders, r) + 1
	return fmt.Sprintf("%s %d", o.Kind, n)
}

// notify writes down what the shop is to hear.
func (r *record) notify(t payment.Transition, o *payment.Order) {
	as := t.After
	if as == nil {
		as = o
	}
	r.notifications = append(r.notifications, notification{as.Sequence, as.Status, as.Captured, as.Refunded, as.RefundReserved})
}

// planPoll plans the order's next status poll, if it was moved.
func (s *store) planPoll(r *record) {
	at := time.Duration(-1)
	if next := r.order.NextPollAt; next != nil {
		at = next.Sub(epoch)
	}
	if r.pollAt == at {
		return
	}
	if r.pollAt = at; at < 0 {
		return
	}
	at = max(at, s.w.at, s.w.downUntil)
	s.w.push(event{at: at, do: func() { s.poll(r) }})
}

// poll leases a due order to a replica, which asks the provider about it. A lease that nobody ends is due again.
func (s *store) poll(r *record) {
	w := s.w
	if r.order.NextPollAt == nil || r.pollAt < 0 || r.order.NextPollAt.After(w.now()) {
		return
	}
	if w.at < w.downUntil {
		w.push(event{at: w.downUntil, do: func() { s.poll(r) }})
		return
	}
	until := w.now().Add(pollLease)
	r.order.NextPollAt = &until
	s.planPoll(r)
	w.polls++
	key := r.order.Key()
	w.start(statusPoll, func() {
		if _, err := w.service.Poll(background, key); err != nil {
			w.violate("a status poll failed: %v", err)
		}
	})
}

// orderIDs makes the ids at the provider.
var orderIDs = orderid.New([]byte("a key of the simulation"))

// EndedAttempts implements payment.Store.
func (s *store) EndedAttempts(_ context.Context, key payment.Key) ([]payment.EndedAttempt, error) {
	if r := s.find(key); r != nil {
		return r.ended, nil
	}
	return nil, payment.ErrNotFound
}

// ProviderOrderID implements payment.Store.
func (s *store) ProviderOrderID(_ context.Context, shop uuid.UUID, kind gateway.Kind, reference string, attempt int) (string, error) {
	return orderIDs.Make(orderid.Subject{ShopNumber: 1, Shop: shop, Kind: kind, Reference: reference, Attempt: attempt})
}

// Order implements payment.Store.
func (s *store) Order(_ context.Context, key payment.Key) (*payment.Order, error) {
	s.w.step(false)
	if r := s.find(key); r != nil {
		return s.copied(&r.order), nil
	}
	return nil, payment.ErrNotFound
}

// OrderByReference implements payment.Store.
func (s *store) OrderByReference(_ context.Context, shop uuid.UUID, kind gateway.Kind, reference string) (*payment.Order, error) {
	for _, r := range s.orders {
		if r.order.ShopID == shop && r.order.Kind == kind && r.order.Reference == reference {
			return s.copied(&r.order), nil
		}
	}
	return nil, payment.ErrNotFound
}

// Orders implements payment.Store as far as importing a transfer asks: by the name that the provider knows.
func (s *store) Orders(_ context.Context, f payment.Filter) (payment.Page[*payment.Order], error) {
	var page payment.Page[*payment.Order]
	for _, r := range s.orders {
		if o := &r.order; o.ShopID == f.Shop && o.AccountName == f.Account && o.ProviderOrderID == f.ProviderOrderID {
			page.Items = append(page.Items, s.copied(o))
		}
	}
	return page, nil
}

// History implements payment.Store.
func (s *store) History(_ context.Context, key payment.Key) ([]payment.Transition, error) {
	if r := s.find(key); r != nil {
		return r.transitions, nil
	}
	return nil, payment.ErrNotFound
}

// Notified implements payment.Store. No scenario asks.
func (s *store) Notified(context.Context, payment.Key) ([]payment.Notified, error) { return nil, nil }

// Feed implements payment.Store. No scenario asks.
func (s *store) Feed(context.Context, uuid.UUID, string, int) (payment.FeedPage, error) {
	return payment.FeedPage{}, nil
}

// FeedCursor implements payment.Store. No scenario asks.
func (s *store) FeedCursor(context.Context, uuid.UUID, time.Time) (string, error) { return "", nil }

// Account implements payment.Store.
func (s *store) Account(_ context.Context, id uuid.UUID) (payment.Account, error) {
	for _, a := range s.accounts {
		if a.ID == id {
			return a, nil
		}
	}
	return payment.Account{}, payment.ErrNotFound
}

// ShopAccounts implements payment.Store.
func (s *store) ShopAccounts(context.Context, uuid.UUID) ([]payment.Account, error) {
	return slices.Clone(s.accounts), nil
}

// AccountByCallbackToken implements payment.Store.
func (s *store) AccountByCallbackToken(_ context.Context, token string) (payment.Account, error) {
	for _, a := range s.accounts {
		if a.CallbackToken.Reveal() == token {
			return a, nil
		}
	}
	return payment.Account{}, payment.ErrNotFound
}
