package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// Link says that a shop may use an account. Priority is the account's place in the shop's routing, from 1; 0 is for an account
// that a request must name.
type Link struct {
	Account, Shop string
	Priority      int
}

// Routing says where a link puts an account in the shop's routing.
type Routing struct {
	// Given says that Priority was asked for. Else a linked account keeps its place; of new ones the first of a currency and
	// purpose is routed to, and later ones must be named: linking an account moves no traffic.
	Given    bool
	Priority int // as in Link
}

// quietFor is how long a shop must have sent an account nothing until the account may leave its routing without another in its place.
const quietFor = 30 * 24 * time.Hour

// LinkAccount lets a shop use an account, or changes the account's place in the shop's routing, and returns the link. force
// allows a change after which the shop has no route for what it sends; without it that is a payment.Error of CodeInvalid.
func (s *Store) LinkAccount(ctx context.Context, account, shop string, routing Routing, force bool) (Link, error) {
	link := Link{Account: account, Shop: shop}
	err := s.actOnLinks(ctx, "account link", account, shop, func(ctx context.Context, q *db.Queries, l *shopLinks) (after any, err error) {
		if link.Priority, err = l.place(routing); err != nil {
			return nil, err
		}
		if link.Priority == 0 && !force {
			if err := l.mayLeave(ctx, q, s.Now()); err != nil {
				return nil, err
			}
		}
		return linkFacts(true, link.Priority), linkAccount(ctx, q, l.shop, l.account.ID, link.Priority)
	})
	return link, err
}

// UnlinkAccount takes an account from a shop. Its orders there go on; new ones cannot be made, nor charges of the mandates there: it
// returns how many have not ended. force is as for LinkAccount.
func (s *Store) UnlinkAccount(ctx context.Context, account, shop string, force bool) (mandates int64, err error) {
	err = s.actOnLinks(ctx, "account unlink", account, shop, func(ctx context.Context, q *db.Queries, l *shopLinks) (any, error) {
		if !force {
			if err := l.mayLeave(ctx, q, s.Now()); err != nil {
				return nil, err
			}
		}
		n, err := q.UnlinkAccount(ctx, db.UnlinkAccountParams{ShopID: l.shop, AccountID: l.account.ID})
		if n == 0 && err == nil {
			return nil, &payment.Error{Code: payment.CodeNotFound, Message: fmt.Sprintf("Shop %s does not use account %s. 'server account list' shows who uses which.", shop, account)}
		}
		if err == nil && !force {
			err = s.keepsRoutes(ctx, q, db.Shop{ID: l.shop, Name: shop}, account)
		}
		if err == nil {
			mandates, err = s.liveMandates(ctx, q, l.account, &l.shop)
		}
		return linkFacts(false, 0), err
	})
	return mandates, err
}

// Links returns which shops may use which accounts.
func (s *Store) Links(ctx context.Context) ([]Link, error) {
	var rows []db.LinksByAccountRow
	err := s.read(ctx, "load the links of accounts", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.LinksByAccount(ctx)
		return err
	})
	links := make([]Link, len(rows))
	for i, r := range rows {
		links[i] = Link{r.Account, r.Shop, priorityOf(r.Priority)}
	}
	return links, err
}

// shopLinks are the accounts of a shop, while a link to one of them is changed.
type shopLinks struct {
	shop    uuid.UUID
	account payment.Account
	all     []db.LinksOfShopRow
}

// actOnLinks changes a link of a shop's, whose row is locked, and writes the audit entry.
func (s *Store) actOnLinks(ctx context.Context, action, account, shop string, change func(context.Context, *db.Queries, *shopLinks) (after any, err error)) error {
	return s.act(ctx, action, accountNamed(account), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		a, err := s.lockAccount(ctx, q, account)
		if err != nil {
			return act{}, err
		}
		l, err := loadLinks(ctx, q, a, shop)
		if err != nil {
			return act{}, err
		}
		done := act{action: action, kind: "account", object: account, shop: shop, before: l.facts()}
		done.after, err = change(ctx, q, l)
		return done, err
	})
}

func loadLinks(ctx context.Context, q *db.Queries, a payment.Account, shop string) (*shopLinks, error) {
	id, err := lockShop(ctx, q, shop)
	if err != nil {
		return nil, err
	}
	all, err := q.LinksOfShop(ctx, id)
	return &shopLinks{id, a, all}, err
}

// place says where the account stands in the shop's routing.
func (l *shopLinks) place(r Routing) (int, error) {
	switch {
	case r.Given && (r.Priority < 0 || r.Priority > maxPriority):
		return 0, &payment.Error{Code: payment.CodeInvalid, Message: fmt.Sprintf("A priority is 1 to %d, the least first.", maxPriority)}
	case r.Given:
		return r.Priority, l.free(r.Priority)
	}
	for _, link := range l.all {
		if link.AccountID == l.account.ID {
			return priorityOf(link.Priority), nil
		}
	}
	if len(l.beside()) > 0 {
		return 0, nil
	}
	return 1, nil
}

// free refuses a priority that another account has for the same orders: their names would decide then.
func (l *shopLinks) free(priority int) error {
	taken := map[int]string{}
	for _, other := range l.beside() {
		taken[priorityOf(other.Priority)] = other.Name
	}
	other, ok := taken[priority]
	if !ok {
		return nil
	}
	next := priority
	for taken[next] != "" && next < maxPriority {
		next++
	}
	return &payment.Error{Code: payment.CodeInvalid, Message: fmt.Sprintf(
		"Account %s has priority %d for %s already, and each account has its own. Take another such as %d; or, to put %s first, give %s a larger one before. Nothing was changed.",
		other, priority, l.account.Currency, next, l.account.Name, other)}
}

// maxPriority is the largest priority.
const maxPriority = 1000

// beside are the other accounts that routing finds where it finds this one.
func (l *shopLinks) beside() (others []db.LinksOfShopRow) {
	for _, other := range l.all {
		p := payment.Purpose(other.Purpose)
		same := p == l.account.Purpose || p == payment.PurposeAny || l.account.Purpose == payment.PurposeAny
		if other.AccountID != l.account.ID && other.Currency == string(l.account.Currency) && same && other.Priority != nil {
			others = append(others, other)
		}
	}
	return others
}

// mayLeave refuses to take the account from the shop's routing if the shop uses it and has no other that begins the same orders.
func (l *shopLinks) mayLeave(ctx context.Context, q *db.Queries, now time.Time) error {
	if slices.ContainsFunc(l.beside(), func(other db.LinksOfShopRow) bool { return shop.Mode(other.Mode) == shop.ModeEnabled }) {
		return nil
	}
	newest, err := q.NewestOrderAt(ctx, db.NewestOrderAtParams{AccountName: l.account.Name, ShopID: l.shop})
	if err != nil || len(newest) == 0 || now.Sub(newest[0]) > quietFor {
		return err
	}
	return &payment.Error{Code: payment.CodeInvalid, Message: fmt.Sprintf(
		"The shop sent account %s an order within 30 days and has no other in its routing that begins orders of %s, so they would be refused. Link or enable another first, or give --force. Nothing was changed.",
		l.account.Name, l.account.Currency)}
}

// facts are what the audit log keeps of the link.
func (l *shopLinks) facts() map[string]any {
	for _, link := range l.all {
		if link.AccountID == l.account.ID {
			return linkFacts(true, priorityOf(link.Priority))
		}
	}
	return linkFacts(false, 0)
}

func linkFacts(linked bool, priority int) map[string]any {
	facts := map[string]any{"linked": linked}
	if priority > 0 {
		facts["priority"] = priority
	}
	return facts
}

func linkAccount(ctx context.Context, q *db.Queries, shop, account uuid.UUID, priority int) error {
	p := db.LinkAccountParams{ShopID: shop, AccountID: account}
	if priority > 0 {
		n := int32(min(priority, math.MaxInt32)) //nolint:gosec // bounded
		p.Priority = &n
	}
	_, err := q.LinkAccount(ctx, p)
	return err
}

func priorityOf(p *int32) int {
	if p == nil {
		return 0
	}
	return int(*p)
}
