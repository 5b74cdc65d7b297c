package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/payment"
	"payrelay/internal/routing"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// usableRules reads and analyses a set.
func usableRules(ctx context.Context, q *db.Queries, set RoutingSet, known []routing.KnownAccount) (*routing.Set, error) {
	rules, problems := routing.Parse(set.Body)
	if rules != nil {
		bins, err := q.BINTableVersion(ctx)
		if err != nil {
			return nil, err
		}
		shops, err := q.Shops(ctx)
		if err != nil {
			return nil, err
		}
		names := make([]string, len(shops))
		for i, r := range shops {
			names[i] = r.Name
		}
		if problems = rules.UnknownShops(names); len(problems) == 0 {
			problems = rules.Check(set.Shop, known)
		}
		if len(bins) == 0 {
			problems = append(problems, rules.WithoutBINs()...)
		}
	}
	return rules, refuseProblems(problems)
}

// refuseProblems refuses rules with which something is wrong.
func refuseProblems(problems []routing.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return &payment.Error{Code: payment.CodeInvalid, Message: "The routing rules cannot be used. Nothing was changed.\n  " + strings.Join(lines, "\n  ")}
}

// gapsOfScope describes what shops sent in the last 30 days and have no route for by the rules of a scope.
func (s *Store) gapsOfScope(ctx context.Context, q *db.Queries, scope *routingScope, rules *routing.Set, known []routing.KnownAccount) (gaps []string, err error) {
	shops, err := s.shopsRoutedBy(ctx, q, scope)
	if err != nil {
		return nil, err
	}
	for _, shop := range shops {
		of, err := s.gapsOf(ctx, q, shop, rules, known)
		if err != nil {
			return nil, err
		}
		gaps = append(gaps, of...)
	}
	return gaps, nil
}

func refuseGaps(gaps []string, advice string) error {
	if len(gaps) == 0 {
		return nil
	}
	return &payment.Error{Code: payment.CodeInvalid, Message: "The routing rules would leave payments without an account. " + advice + " Nothing was changed.\n  " + strings.Join(gaps, "\n  ")}
}

// gapsOf describes payments of the currencies that a shop sent in the last 30 days, for which the rules have no account.
func (s *Store) gapsOf(ctx context.Context, q *db.Queries, shop db.Shop, rules *routing.Set, known []routing.KnownAccount) (gaps []string, err error) {
	asked := map[string]bool{}
	for _, a := range known {
		if asked[a.Currency] {
			continue
		}
		newest, err := q.NewestPaymentAt(ctx, db.NewestPaymentAtParams{AccountName: a.Name, ShopID: shop.ID})
		if err != nil {
			return nil, err
		}
		if len(newest) == 0 || s.Now().Sub(newest[0]) > quietFor {
			continue
		}
		asked[a.Currency] = true
		if gap := rules.Gap(shop.Name, a.Currency, known); gap != "" {
			gaps = append(gaps, fmt.Sprintf("shop %s sent payments of %s within 30 days: %s", shop.Name, a.Currency, gap))
		}
	}
	return gaps, nil
}

// keepsRoutes refuses to take an account from a shop if the active rules name it, and leave payments without an account then.
func (s *Store) keepsRoutes(ctx context.Context, q *db.Queries, shop db.Shop, account string) error {
	active, err := q.ActiveRoutingSets(ctx)
	if err != nil {
		return err
	}
	var body string
	for _, set := range active {
		if set.ShopID == nil && body == "" || set.ShopID != nil && *set.ShopID == shop.ID {
			body = set.Body
		}
	}
	rules, _ := routing.Parse([]byte(body))
	if rules == nil || !slices.Contains(rules.Accounts(), account) {
		return nil
	}
	known, err := s.knownAccounts(ctx, q)
	if err != nil {
		return err
	}
	gaps, err := s.gapsOf(ctx, q, shop, rules, known)
	if err != nil {
		return err
	}
	return refuseGaps(gaps, "Activate others first, or give --force.")
}

// shopsRoutedBy are the shops that the rules of a scope are for.
func (s *Store) shopsRoutedBy(ctx context.Context, q *db.Queries, scope *routingScope) ([]db.Shop, error) {
	all, err := q.Shops(ctx)
	if err != nil {
		return nil, err
	}
	active, err := q.ActiveRoutingSets(ctx)
	if err != nil {
		return nil, err
	}
	own := map[uuid.UUID]bool{}
	for _, set := range active {
		if set.ShopID != nil {
			own[*set.ShopID] = true
		}
	}
	var shops []db.Shop
	for _, r := range all {
		if scope.shopID == nil && !own[r.ID] || scope.shopID != nil && *scope.shopID == r.ID {
			shops = append(shops, db.Shop{ID: r.ID, Name: r.Name})
		}
	}
	return shops, nil
}

// knownAccounts are the accounts that rules may name.
func (s *Store) knownAccounts(ctx context.Context, q *db.Queries) ([]routing.KnownAccount, error) {
	accounts, err := q.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	links, err := q.LinksByAccount(ctx)
	if err != nil {
		return nil, err
	}
	known := make([]routing.KnownAccount, len(accounts))
	for i, a := range accounts {
		known[i] = routing.KnownAccount{
			Name: a.Name, Currency: a.Currency, Payments: payment.Purpose(a.Purpose) != payment.PurposePayouts,
			Payouts: payment.Purpose(a.Purpose) != payment.PurposePayments, Begins: shop.Mode(a.Mode) == shop.ModeEnabled, Closed: shop.Mode(a.Mode) == shop.ModeClosed,
		}
		for _, l := range links {
			if l.Account != a.Name {
				continue
			}
			known[i].Shops = append(known[i].Shops, l.Shop)
			if l.Priority != nil {
				known[i].Prioritized = append(known[i].Prioritized, l.Shop)
			}
		}
	}
	return known, nil
}
