package uapay

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"payrelay/internal/sandbox/testcard"
)

var (
	cvcRE    = regexp.MustCompile(`^[0-9]{3,4}$`)
	expiryRE = regexp.MustCompile(`^[0-9]{4}-(0[1-9]|1[0-2])$`)
)

func (t *Simulator) createCard(c *call) answer {
	digits, ok := testcard.Digits(c.data.text("pan"))
	k := c.check().need("data", "pan", "expiresAt").ok("data", "pan", ok && testcard.Luhn(digits)).
		ok("data", "expiresAt", t.validExpiry(c.data.text("expiresAt")))
	if bad := k.bad(); bad != nil {
		return *bad
	}
	return answer{data: map[string]any{"id": t.saveCard(c, digits).ID}}
}

// validExpiry reports whether YYYY-MM names a month that is not over.
func (t *Simulator) validExpiry(s string) bool {
	at, err := time.Parse("2006-01", s)
	return err == nil && expiryRE.MatchString(s) && testcard.ExpiryValid(int(at.Month()), at.Year()-2000, t.now())
}

// saveCard stores a card number as a card id; nil when it is no number.
func (t *Simulator) saveCard(c *call, number string) *Card {
	digits, ok := testcard.Digits(number)
	if !ok || !testcard.Luhn(digits) {
		return nil
	}
	card := newCard(c.merchant.ClientID, digits)
	t.store.cards.put(card.ID, card)
	return card
}

// SaveCard stores a card of a client, the first one when clientID is empty, as the card frame would.
func (t *Simulator) SaveCard(clientID, number string) (Card, error) {
	digits, ok := testcard.Digits(number)
	t.mu.Lock()
	defer t.mu.Unlock()
	if clientID == "" {
		clientID = t.cfg.Merchants[0].ClientID
	}
	switch {
	case t.merchants[clientID] == nil:
		return Card{}, fmt.Errorf("keep a card: no client %q", clientID)
	case !ok || !testcard.Luhn(digits):
		return Card{}, errors.New("keep a card: number is not a card's")
	}
	card := newCard(clientID, digits)
	t.store.cards.put(card.ID, card)
	return *card, nil
}

// cardOf reads data.cardFrom or data.cardTo: a card id, or a number as holders
// of a PCI DSS certificate may send. A number that pays needs its expiry.
func (t *Simulator) cardOf(c *call, name string, pays bool) (*Card, *answer) {
	given := c.data.object(name)
	if id := given.text("id"); id != "" {
		if card := t.card(c, id); card != nil {
			return card, nil
		}
		a := reject(CodeNotFound, name+" is not known")
		return nil, &a
	}
	k := c.check()
	digits, ok := testcard.Digits(given.text("pan"))
	switch {
	case !given.has("pan"):
		k.found.add("data", name+".id", FieldRequired)
	case !ok || !testcard.Luhn(digits):
		k.found.add("data", name+".pan", FieldFormat)
	}
	if pays && given.has("pan") && !t.validExpiry(given.text("expiresAt")) {
		k.found.add("data", name+".expiresAt", FieldFormat)
	}
	if bad := k.bad(); bad != nil {
		return nil, bad
	}
	return t.saveCard(c, digits), nil
}
