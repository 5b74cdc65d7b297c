package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"payrelay/internal/bintable"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/plural"
	"payrelay/internal/routing"
	"payrelay/internal/shop"
)

type routeReplayCmd struct {
	Set  int    `required:"" placeholder:"N" help:"The version of the rules."`
	Days int    `default:"7" placeholder:"N" help:"How many days back; 7."`
	Shop string `placeholder:"NAME" help:"The rules of this shop, over its payments. Without it: those of all shops, over the payments of each."`
	All  bool   `help:"Also payments that no rule decided on. Their facts are rebuilt from what is stored of them; those whose request named the account are among them."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// replayed is what a version of the rules would do with payments.
type replayed struct {
	Payments int            `json:"payments"`
	Same     int            `json:"same"`
	Left     int            `json:"left_out"` // no rule decided on them, or they were erased
	Unclear  int            `json:"unclear"`  // of same: the known digits of the card are of several countries, which the rules treat differently
	Moves    []*replayedSum `json:"moves"`
}

// replayedSum is payments that would go from one account to another. No account is "", which is no_route.
type replayedSum struct {
	Shop     string `json:"shop"`
	Rule     string `json:"rule"`
	From     string `json:"from"`
	To       string `json:"to"`
	Currency string `json:"currency"`
	Orders   int    `json:"orders"`
	Amount   int64  `json:"amount"`
}

// Run implements the command.
func (c routeReplayCmd) Run(ctx context.Context, io *Streams) error {
	if c.Days < 1 || c.Days > 366 {
		return errors.New("--days is 1 to 366")
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	_, rules, err := rulesOf(ctx, db, c.Shop, c.Set, c.Shop == "")
	if err != nil {
		return err
	}
	shops, err := db.store.Shops(ctx)
	if err != nil {
		return err
	}
	sum := replay{rules: rules, all: c.All, sums: map[replayedSum]*replayedSum{}}
	if sum.bins, err = binsFor(ctx, db, rules); err != nil {
		return err
	}
	for _, shop := range shops {
		if c.Shop != "" && shop.Name != c.Shop {
			continue
		}
		if err := sum.addShop(ctx, db, shop, c.Days); err != nil {
			return err
		}
	}
	return c.print(io, sum.result())
}

func (c routeReplayCmd) print(io *Streams, r replayed) error {
	if c.JSON {
		return printJSON(io, r)
	}
	fmt.Fprintf(io.Out, "%s of the last %s, %d at the same account as before.\n", plural.Of(r.Payments, "payment", "payments"), plural.Of(c.Days, "day", "days"), r.Same)
	if r.Left > 0 {
		fmt.Fprintf(io.Out, "Left out: %d on which no rule decided, or which were erased.\n", r.Left)
	}
	if r.Unclear > 0 {
		fmt.Fprintf(io.Out, "Of those at the same account %s not clear: cards begin with digits of several countries, and these rules send such cards to different accounts.\n", plural.Of(r.Unclear, "is", "are"))
	}
	if len(r.Moves) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SHOP\tRULE\tFROM\tTO\tORDERS\tAMOUNT")
	for _, m := range r.Moves {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", m.Shop, cmp.Or(m.Rule, "-"), m.From, cmp.Or(m.To, "no route"), m.Orders, money.New(m.Amount, money.Currency(m.Currency)))
	}
	return w.Flush()
}

// replay runs rules over payments.
type replay struct {
	rules    *routing.Set
	all      bool
	accounts []payment.Account // of the shop
	bins     *bintable.Table   // where the rules ask for it
	sum      replayed
	sums     map[replayedSum]*replayedSum
}

// addShop runs the rules over a shop's payments of the last days.
func (r *replay) addShop(ctx context.Context, db *database, of shop.Shop, days int) (err error) {
	if r.accounts, err = db.store.ShopAccounts(ctx, of.ID); err != nil {
		return err
	}
	f := payment.Filter{Shop: of.ID, Kind: "payment", CreatedFrom: db.clock.Now().Add(-time.Duration(days) * 24 * time.Hour), Limit: 100}
	for {
		page, err := db.store.Orders(ctx, f)
		if err != nil {
			return err
		}
		for _, o := range page.Items {
			if err := r.add(of.Name, o); err != nil {
				return err
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return nil
		}
	}
}

func (r *replay) add(shop string, o *payment.Order) error {
	if o.ParentID != nil { // a charge goes where its payment went
		return nil
	}
	var before routing.Decision
	from := o.AccountName
	switch {
	case o.Erased, o.Routing == nil && !r.all:
		r.sum.Left++
		return nil
	case o.Routing == nil:
		before.Facts = rebuiltFacts(shop, o)
	default:
		if err := json.Unmarshal(o.Routing, &before); err != nil {
			return fmt.Errorf("read the decision of order %s: %w", o.ID, err)
		}
		if first := before.Accounts(); len(first) > 0 {
			from = first[0]
		}
		before.Facts.Metadata = o.Metadata
	}
	r.sum.Payments++
	after, to, certain := r.decide(before.Facts, r.considered(&before, o))
	if !certain {
		r.sum.Unclear++
		to = from
	}
	if to == from {
		r.sum.Same++
		return nil
	}
	key := replayedSum{Shop: shop, Rule: after.Rule, From: from, To: to, Currency: string(o.Amount.Currency())}
	if r.sums[key] == nil {
		row := key
		r.sums[key] = &row
	}
	r.sums[key].Orders++
	r.sums[key].Amount += o.Amount.Minor()
	return nil
}

// decide runs the rules over the facts of a payment. It is not certain where it goes if its card may be of several countries, for which the
// rules choose different accounts.
func (r *replay) decide(f routing.Facts, accounts []routing.Account) (after routing.Decision, to string, certain bool) {
	f = r.rules.Located(f, r.bins)
	after = r.rules.Decide(f, accounts)
	to = firstOf(after)
	if f.CardCountry != "" {
		return after, to, true
	}
	for _, code := range r.bins.Countries(f.CardBIN) {
		f.CardCountry = code
		if firstOf(r.rules.Decide(f, accounts)) != to {
			return after, to, false
		}
	}
	return after, to, true
}

// firstOf is the account that a decision puts first, "" for none.
func firstOf(d routing.Decision) string {
	if accounts := d.Accounts(); len(accounts) > 0 {
		return accounts[0]
	}
	return ""
}

// considered are the shop's accounts as they are now, but as they were where the decision says so.
func (r *replay) considered(before *routing.Decision, o *payment.Order) []routing.Account {
	accounts := payment.Considered(r.accounts, o.Amount.Currency(), payment.PurposePayments)
	for i := range accounts {
		for _, c := range before.Candidates {
			if c.Account == accounts[i].Name {
				accounts[i].Reason = c.Was()
			}
		}
	}
	return accounts
}

func (r *replay) result() replayed {
	r.sum.Moves = slices.SortedFunc(maps.Values(r.sums), func(a, b *replayedSum) int {
		return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(b.Orders, a.Orders), cmp.Compare(a.Shop, b.Shop), cmp.Compare(a.From, b.From), cmp.Compare(a.Rule, b.Rule))
	})
	return r.sum
}

// rebuiltFacts are the facts of a payment on which no rule decided, as far as they are stored. Splits draw by its id.
func rebuiltFacts(shop string, o *payment.Order) routing.Facts {
	f := routing.Facts{
		Shop: shop, Kind: string(o.Kind), Currency: string(o.Amount.Currency()), Amount: o.Amount.Minor(), Flow: string(o.Flow), Capture: "automatic",
		Recurring: o.Recurring, Metadata: o.Metadata, CustomerKey: o.Metadata["customer_id"], OrderKey: o.ID.String(),
	}
	if o.Manual {
		f.Capture = "manual"
	}
	if m := o.PaymentMethod; m != nil && f.Flow == "direct" {
		f.Method, f.CardBIN, f.CardBrand = m.Type, m.BIN, m.Brand
	}
	return f
}
