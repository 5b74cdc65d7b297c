package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"payrelay/internal/plural"
	"payrelay/internal/store"
)

type accountLinkCmd struct {
	Name     string `arg:"" help:"The account."`
	Shop     string `required:"" placeholder:"NAME" help:"The shop."`
	Priority *int   `placeholder:"N" help:"Its place in the shop's routing, 1 to 1000, the least first. No two accounts have the same one for the same orders. Without it an account that is linked keeps its place; of new ones the first of a currency and purpose gets 1, and a later one must be named by requests."`
	ByName   bool   `help:"Take it out of the shop's routing: requests must name it."`
	Force    bool   `help:"With --by-name: also if the shop's orders then have no account."`
	JSON     bool   `name:"json" help:"Print JSON."`
	reasonFlag
}

// Run implements the command.
func (c accountLinkCmd) Run(ctx context.Context, io *Streams) error {
	var routing store.Routing
	switch {
	case c.ByName && c.Priority != nil:
		return errors.New("give --priority or --by-name, not both")
	case c.Priority != nil && *c.Priority < 1:
		return errors.New("--priority is 1 to 1000, the least first; --by-name takes the account out of the routing")
	case c.Priority != nil:
		routing = store.Routing{Given: true, Priority: *c.Priority}
	case c.ByName:
		routing = store.Routing{Given: true}
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	link, err := db.store.LinkAccount(ctx, c.Name, c.Shop, routing, c.Force)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, linkJSON(link))
	}
	printLink(io, link)
	return nil
}

type accountUnlinkCmd struct {
	Name  string `arg:"" help:"The account."`
	Shop  string `required:"" placeholder:"NAME" help:"The shop."`
	Force bool   `help:"Also if the shop's orders then have no account."`
	reasonFlag
}

// Run implements the command.
func (c accountUnlinkCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	mandates, err := db.store.UnlinkAccount(ctx, c.Name, c.Shop, c.Force)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "Shop %s begins nothing new at account %s, on every replica within 5 s. Its orders there go on.\n", c.Shop, c.Name)
	if mandates > 0 {
		fmt.Fprintf(io.Out, "%s charged no more: 'server mandate list --shop %s --account %s' shows what lives there. A provider that charges by its own schedule goes on until 'server mandate revoke'.\n", plural.Of(mandates, "mandate of it is", "mandates of it are"), c.Shop, c.Name)
	}
	return nil
}

// linksOf returns the links of an account.
func linksOf(ctx context.Context, s *store.Store, account string) ([]store.Link, error) {
	links, err := s.Links(ctx)
	return ofAccount(links, account), err
}

func ofAccount(links []store.Link, account string) []store.Link {
	return slices.DeleteFunc(slices.Clone(links), func(l store.Link) bool { return l.Account != account })
}

func printLink(io *Streams, l store.Link) {
	if l.Priority == 0 {
		fmt.Fprintf(io.Out, "Shop %s reaches account %s by name only. To route to it: 'server account link %s --shop %s --priority 2'.\n", l.Shop, l.Account, l.Account, l.Shop)
		return
	}
	fmt.Fprintf(io.Out, "Shop %s routes to account %s with priority %d.\n", l.Shop, l.Account, l.Priority)
}

func linksText(links []store.Link) string {
	words := make([]string, len(links))
	for i, l := range links {
		words[i] = l.Shop + " (by name)"
		if l.Priority > 0 {
			words[i] = fmt.Sprintf("%s (%d)", l.Shop, l.Priority)
		}
	}
	return strings.Join(words, ", ")
}

func linksJSON(links []store.Link) []map[string]any {
	rows := make([]map[string]any, len(links))
	for i, l := range links {
		rows[i] = linkJSON(l)
	}
	return rows
}

func linkJSON(l store.Link) map[string]any {
	row := map[string]any{"shop": l.Shop, "account": l.Account, "priority": nil}
	if l.Priority > 0 {
		row["priority"] = l.Priority
	}
	return row
}
