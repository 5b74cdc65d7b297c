package simulation

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// accountsEach is how many accounts there are at each provider.
const accountsEach = 2

// allAccounts are the accounts of the scenarios' shop.
func allAccounts() (all []payment.Account) {
	for _, m := range manners {
		for i := range accountsEach {
			name := m.name + "-" + string(rune('1'+i))
			all = append(all, payment.Account{
				ID: uuid.UUID{0: 1, 15: byte(len(all) + 1)}, Name: name, Provider: m.name, Currency: currency, Purpose: payment.PurposeAny, Priority: 1, //nolint:gosec // a few
				CallbackToken: tokenOf(name), CreatedAt: epoch,
			})
		}
	}
	return all
}

// tokenOf is what the address of an account's callbacks ends with.
func tokenOf(account string) gateway.Secret { return gateway.Secret("token-" + account) }

// route draws in which order the shop's accounts are tried. The first is at the scenario's provider.
func (s *store) route(m *manner) {
	w := s.w
	w.rng.Shuffle(len(s.accounts), func(i, j int) { s.accounts[i], s.accounts[j] = s.accounts[j], s.accounts[i] })
	first := slices.IndexFunc(s.accounts, func(a payment.Account) bool { return a.Provider == m.name })
	s.accounts[0], s.accounts[first] = s.accounts[first], s.accounts[0]
	for i := range s.accounts {
		s.accounts[i].Priority = i + 1
	}
	for i := range s.accounts[:2] {
		if w.chance(0.08) {
			w.faults.closed = append(w.faults.closed, s.accounts[i].Name)
		}
	}
}

// refuse is a call to an account whose host takes no connection, or does not take our secrets.
func (w *world) refuse(op, id string) (gateway.Result, error) {
	w.noteAge(id)
	kind := gateway.KindNotSent
	if w.chance(0.4) {
		kind = gateway.KindCredentials
	}
	w.wait(w.between(0, 100*time.Millisecond))
	w.current.lost = false
	return w.back(op, answer{err: errorOf(kind, op, "refused")})
}

// failures are how a payment may be declined, by what may follow.
var failures = func() (all []*gateway.Failure) {
	for _, class := range []gateway.RetryClass{gateway.RetryOtherAccount, gateway.RetryIssuer, gateway.RetrySameLater, gateway.RetryCustomer} {
		f := *declined
		f.Code, f.Retry = string(class), class
		all = append(all, &f)
	}
	return all
}()

// endedCalled returns the order of which an id is that of an attempt that has ended, and the attempt.
func (s *store) endedCalled(id string) (*record, *payment.EndedAttempt) {
	for _, r := range s.orders {
		for i := range r.ended {
			if r.ended[i].ProviderOrderID == id {
				return r, &r.ended[i]
			}
		}
	}
	return nil, nil
}

// checkMove holds that an order goes to another account only after an attempt of which is known that it moves no money.
func (w *world) checkMove(before *payment.Order, r *record, e payment.EndedAttempt) {
	d := w.provider.find(e.ProviderOrderID)
	switch {
	case e.Number != len(r.ended)+1 || e.Number > 2:
		w.violate("attempt %d ends after %d others", e.Number, len(r.ended))
	case before.Status != payment.StatusCreated || before.ProviderOrderID != e.ProviderOrderID:
		w.violate("an order that is %s goes to another account", before.Status)
	case w.current == nil || w.current.lost:
		w.violate("an order goes to another account after a call without an answer")
	case d != nil && live(d):
		w.violate("attempt %d counts as ended, and the provider has it as %s", e.Number, w.provider.truth(d))
	case d == nil && e.Declined():
		w.violate("attempt %d counts as declined, and the provider does not have it", e.Number)
	case e.Declined():
		w.checkDecline(before, r, d)
	}
}

// checkDecline holds that the shop asks for what a decline leads to, and that no second one does.
func (w *world) checkDecline(before *payment.Order, r *record, d *deal) {
	allowed := []gateway.RetryClass{}
	switch before.Cascade {
	case payment.CascadeIssuer:
		allowed = append(allowed, gateway.RetryIssuer, gateway.RetryOtherAccount)
	case payment.CascadeProvider:
		allowed = append(allowed, gateway.RetryOtherAccount)
	case payment.CascadeNone:
	}
	switch {
	case !slices.Contains(allowed, d.failure.Retry):
		w.violate("a decline of class %s leads to another account, and the shop asks for %q", d.failure.Retry, before.Cascade)
	case slices.ContainsFunc(r.ended, payment.EndedAttempt.Declined):
		w.violate("a second decline leads to another account")
	}
}

// live reports whether an attempt may move money by what its provider has said. That a failed one thinks better of it nobody can know.
func live(d *deal) bool { return d.now().status != gateway.StatusFailed && !d.now().reversal }

// checkAttempts holds that an attempt begins only when no other of its order is live.
func (w *world) checkAttempts(r *record) {
	for _, e := range r.ended {
		if d := w.provider.find(e.ProviderOrderID); d != nil && live(d) {
			w.violate("an attempt begins while attempt %d is %s", e.Number, w.provider.truth(d))
		}
	}
}

// checkSurplus holds that an order takes its money once: of each further success, also one of an attempt that had ended, a dispute asks.
func (w *world) checkSurplus(r *record) {
	if r.order.Late() {
		return
	}
	successes, disputed := 0, 0
	for _, other := range w.store.orders {
		o := &other.order
		late := o.Late() && *o.ParentID == r.order.ID
		if !late && other != r || o.Status != payment.StatusSucceeded || o.Captured <= o.Refunded {
			continue
		}
		successes++
		if recorded(o) {
			disputed++
		}
	}
	if successes > 1 && disputed < successes-1 {
		w.violate("the order took its money %d times, and %d disputes ask about it", successes, disputed)
	}
}

// checkDeal holds that what the provider has is known, and money of an attempt that had ended, too.
func (w *world) checkDeal(d *deal) {
	if d.elsewhere || w.store.byProviderOrderID(d.id) != nil {
		return
	}
	switch r, e := w.store.endedCalled(d.id); {
	case r == nil:
		w.violate("the provider has a %s that we do not know", d.kind)
	case d.reversalKnown:
		w.violate("attempt %d had ended and is paid, and no order has its money", e.Number)
	}
}
