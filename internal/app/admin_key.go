package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"payrelay/internal/shop"
	"payrelay/internal/store"
)

type keyCmd struct {
	Create   keyCreateCmd   `cmd:"" help:"Give a shop another key. It is printed once."`
	List     keyListCmd     `cmd:"" help:"List keys and when each was last used."`
	Rotate   keyRotateCmd   `cmd:"" help:"Give a key a successor. The old one works for a while still."`
	Revoke   keyRevokeCmd   `cmd:"" help:"End a key. It works nowhere after 5 s."`
	Activity keyActivityCmd `cmd:"" help:"Show what was done with a key, and from where. Reads the orders of its shop."`
	Narrow   keyNarrowCmd   `cmd:"" help:"Take rights from a key."`
	Disable  keyDisableCmd  `cmd:"" help:"Let a key begin nothing new, or switch it off."`
	Enable   keyEnableCmd   `cmd:"" help:"Switch a key on again."`
}

// keyScopes is the flag for what a key may do.
type keyScopes struct {
	Scope []string `enum:"payments,mandates,refunds,payouts,disputes,reports,read" placeholder:"SCOPE" sep:"none" help:"What the key may do: payments (with mandates), mandates, refunds, payouts, disputes, reports, read. May be given several times; all without it."`
}

func (k keyScopes) scopes() []shop.Scope {
	if len(k.Scope) == 0 {
		return shop.Scopes
	}
	return k.given()
}

// given are the scopes that were named, none for none.
func (k keyScopes) given() []shop.Scope {
	scopes := make([]shop.Scope, len(k.Scope))
	for i, s := range k.Scope {
		scopes[i] = shop.Scope(s)
	}
	return scopes
}

// maxKeyDays is the longest life of a key.
const maxKeyDays = 1095

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

func checkDays(n *int) error {
	if n != nil && (*n < 1 || *n > maxKeyDays) {
		return fmt.Errorf("--days is from 1 to %d", maxKeyDays)
	}
	return nil
}

// checkNetworks refuses what is no network, such as one whose address has bits beyond its length.
func checkNetworks(flag string, networks []string) error {
	for _, network := range networks {
		if prefix, err := netip.ParsePrefix(network); err != nil || prefix != prefix.Masked() {
			return fmt.Errorf("--%s %q is not a network such as 203.0.113.0/24 or 2001:db8::/48", flag, network)
		} else if prefix.Addr().Is4In6() { // callers are seen by their IPv4 address
			return fmt.Errorf("--%s %q is a network of IPv4 addresses: write it as one, such as 203.0.113.0/24", flag, network)
		}
	}
	return nil
}

type keyCreateCmd struct {
	Shop string   `arg:"" help:"The shop."`
	Name string   `placeholder:"TEXT" help:"What it is for, such as 'checkout'."`
	From []string `placeholder:"CIDR" sep:"none" help:"A network that calls with it may come from. May be given several times; any without it."`
	Days *int     `placeholder:"DAYS" help:"For how many days it works; 365, or 90 with the scope payouts, without it."`
	JSON bool     `name:"json" help:"Print JSON."`
	keyScopes
	reasonFlag
}

// Run implements the command.
func (c keyCreateCmd) Run(ctx context.Context, io *Streams) error {
	if err := errors.Join(checkDays(c.Days), checkNetworks("from", c.From), operatorText{"--name", c.Name}.check()); err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	key := shop.NewKey()
	made, err := db.store.CreateKey(ctx, c.Shop, store.NewKey{Key: key, Name: c.Name, Scopes: c.scopes(), AllowCIDRs: c.From, Life: time.Duration(orZero(c.Days)) * 24 * time.Hour})
	if err != nil {
		return err
	}
	return printNewKey(io, c.JSON, made, key, "The shop has another key.")
}

// printNewKey shows a key, this once.
func printNewKey(io *Streams, asJSON bool, made store.ShopKey, key, what string) error {
	if asJSON {
		row := keyJSON(made)
		row["key"] = key
		return printJSON(io, row)
	}
	fmt.Fprintf(io.Out, "%s It works until %s and is shown once:\n\nkey: %s\n", what, made.ExpiresAt.UTC().Format(time.RFC3339), key)
	return nil
}

func keyJSON(k store.ShopKey) map[string]any {
	return map[string]any{
		"id": k.ID, "name": k.Name, "shop": k.Shop, "scopes": k.Scopes, "from": k.AllowCIDRs, "mode": k.Mode, "state": keyState(k), "created_at": k.CreatedAt,
		"expires_at": k.ExpiresAt, "replaced_by": k.ReplacedBy, "revoked_at": k.RevokedAt, "revoked_by": k.RevokedBy, "revoked_reason": k.RevokedReason,
		"last_used_at": k.LastUsedAt,
	}
}

// keyState says in a word whether a key works.
func keyState(k store.ShopKey) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case !k.ExpiresAt.After(time.Now()):
		return "expired"
	case k.ReplacedBy != "":
		return "replaced"
	}
	return "live"
}

type keyListCmd struct {
	Shop string `placeholder:"NAME" help:"Of this shop only."`
	All  bool   `help:"Also keys that do not work any more."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c keyListCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	keys, err := db.store.ShopKeys(ctx, c.Shop)
	if err != nil {
		return err
	}
	rows := []map[string]any{}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSHOP\tNAME\tSCOPES\tFROM\tSTATE\tMODE\tEXPIRES\tLAST USED")
	for _, k := range keys {
		state := keyState(k)
		if !c.All && (state == "revoked" || state == "expired") {
			continue
		}
		rows = append(rows, keyJSON(k))
		used := "never"
		if k.LastUsedAt != nil {
			used = k.LastUsedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Shop, orNone(k.Name), joined(k.Scopes), orAny(k.AllowCIDRs), state, k.Mode, k.ExpiresAt.Format(time.RFC3339), used)
	}
	if c.JSON {
		return printJSON(io, rows)
	}
	return w.Flush()
}

func joined(scopes []shop.Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ",")
}

func orAny(networks []string) string {
	if len(networks) == 0 {
		return "anywhere"
	}
	return strings.Join(networks, ",")
}

type keyRotateCmd struct {
	ID      string        `arg:"" help:"The key's id; it stands in the key behind prk_live_."`
	Overlap time.Duration `default:"24h" help:"For how long the old key works still. 0 after a leak."`
	JSON    bool          `name:"json" help:"Print JSON."`
	reasonFlag
}

// maxOverlap is the longest time for which two secrets of the same kind are live.
const maxOverlap = 7 * 24 * time.Hour

func checkOverlap(d time.Duration) error {
	if d < 0 || d > maxOverlap {
		return errors.New("--overlap is from 0 to 168h")
	}
	return nil
}

// Run implements the command.
func (c keyRotateCmd) Run(ctx context.Context, io *Streams) error {
	if err := checkOverlap(c.Overlap); err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	key := shop.NewKey()
	made, err := db.store.RotateKey(ctx, c.ID, key, c.Overlap)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s works for %s still. Its successor has the same rights.", c.ID, c.Overlap)
	if c.Overlap == 0 {
		what = c.ID + " works nowhere after 5 s. Its successor has the same rights."
	}
	return printNewKey(io, c.JSON, made, key, what)
}

type keyRevokeCmd struct {
	ID     string         `arg:"" help:"The key's id; it stands in the key behind prk_live_."`
	Leaked bool           `help:"Also print what was done with the key, and from where, as 'server key activity' does."`
	Since  time.Time      `placeholder:"TIME" help:"With --leaked: from when on; all without it."`
	JSON   bool           `name:"json" help:"Print JSON."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept with the key and in the audit log."`
}

// Run implements the command.
func (c keyRevokeCmd) Run(ctx context.Context, io *Streams) error {
	if !c.Leaked && !c.Since.IsZero() {
		return errors.New("--since is of --leaked: give both")
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.store.RevokeKey(ctx, c.ID); err != nil {
		return err
	}
	if !c.JSON {
		fmt.Fprintf(io.Out, "The key %s works nowhere after 5 s.\n", c.ID)
	}
	switch {
	case c.Leaked:
		return printKeyActivity(ctx, io, db, c.ID, c.Since, c.JSON)
	case c.JSON:
		return printJSON(io, map[string]any{"id": c.ID, "revoked": true})
	}
	return nil
}

type keyNarrowCmd struct {
	ID   string   `arg:"" help:"The key's id; it stands in the key behind prk_live_."`
	From []string `placeholder:"CIDR" sep:"none" help:"A network that calls with it may come from, within those from before. May be given several times."`
	Days *int     `placeholder:"DAYS" help:"From now on it works for so many days, fewer than before."`
	keyScopes
	reasonFlag
}

// Run implements the command.
func (c keyNarrowCmd) Run(ctx context.Context, io *Streams) error {
	if len(c.Scope) == 0 && len(c.From) == 0 && c.Days == nil {
		return errors.New("nothing to change: give --scope, --from or --days")
	}
	if err := errors.Join(checkDays(c.Days), checkNetworks("from", c.From)); err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	n := store.Narrowing{Scopes: c.given(), AllowCIDRs: c.From}
	if c.Days != nil {
		n.ExpiresAt = db.clock.Now().Add(time.Duration(*c.Days) * 24 * time.Hour)
	}
	k, err := db.store.NarrowKey(ctx, c.ID, n)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "The key %s may do %s, from %s, until %s.\n", k.ID, joined(k.Scopes), orAny(k.AllowCIDRs), k.ExpiresAt.UTC().Format(time.RFC3339))
	return nil
}
