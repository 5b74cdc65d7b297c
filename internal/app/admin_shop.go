package app

import (
	"cmp"
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/notify"
	"payrelay/internal/plural"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

type shopCmd struct {
	Create        shopCreateCmd    `cmd:"" help:"Make a shop. Its key and webhook secret are printed once."`
	List          shopListCmd      `cmd:"" help:"List shops."`
	Set           shopSetCmd       `cmd:"" help:"Change where a shop's notifications go, switch them on again, or set what its requests may leave out."`
	WebhookSecret webhookSecretCmd `cmd:"" name:"webhook-secret" help:"What a shop's notifications are signed with."`
	Disable       shopDisableCmd   `cmd:"" help:"Let a shop begin nothing new, or switch it off."`
	Enable        shopEnableCmd    `cmd:"" help:"Switch a shop on again."`
}

type shopCreateCmd struct {
	Name            string   `arg:"" help:"A name of letters, digits, dots, underscores and hyphens."`
	NotificationURL string   `name:"notification-url" placeholder:"URL" help:"Where notifications go unless an order says otherwise."`
	AllowCIDR       []string `name:"allow-cidr" placeholder:"NETWORK:PORT" sep:"none" help:"An internal target that notifications may go to, such as 10.0.0.5:8080 or 10.0.0.0/8:443. May be given several times."`
	JSON            bool     `name:"json" help:"Print JSON."`
	keyScopes
	reasonFlag
}

// Run implements the command.
func (c shopCreateCmd) Run(ctx context.Context, io *Streams) error {
	if err := cmp.Or(operatorText{"the name", c.Name}.check(), operatorText{"--notification-url", c.NotificationURL}.check(), checkCIDRs(c.AllowCIDR)); err != nil {
		return err
	}
	if c.NotificationURL != "" {
		if err := notify.CheckTarget(c.NotificationURL, c.AllowCIDR); err != nil {
			return fmt.Errorf("--notification-url: %w", err)
		}
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	scopes, key, secret := c.scopes(), shop.NewKey(), shop.NewWebhookSecret()
	created, err := db.store.CreateShop(ctx, store.NewShop{
		Name: c.Name, NotificationURL: c.NotificationURL, AllowCIDRs: c.AllowCIDR, Scopes: scopes, Key: key, WebhookSecret: gateway.Secret(secret),
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"id": created.ID, "name": created.Name, "key": key, "webhook_secret": secret, "scopes": scopes})
	}
	fmt.Fprintf(io.Out, "Shop %s is made. These are shown once:\n\nkey:            %s\nwebhook secret: %s\n\nThe key works for %s. It needs an account at a provider: 'server account create … --shop %[1]s', or 'server account link NAME --shop %[1]s'.\n", created.Name, key, secret, plural.Of(days(shop.LifeOf(scopes)), "day", "days"))
	return nil
}

type shopListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c shopListCmd) Run(ctx context.Context, io *Streams) error {
	db, err := openDatabase(ctx, io)
	if err != nil {
		return err
	}
	defer db.close()
	shops, err := db.store.Shops(ctx)
	if err != nil {
		return err
	}
	off, err := db.store.AddressesOff(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		type row struct {
			ID              string        `json:"id"`
			Name            string        `json:"name"`
			Version         int64         `json:"version"`
			Mode            shop.Mode     `json:"mode"`
			NotificationURL string        `json:"notification_url"`
			AllowCIDRs      []string      `json:"allow_cidrs"`
			Defaults        shop.Defaults `json:"defaults"`
			OnSurplus       shop.Surplus  `json:"on_surplus"`
			AddressesOff    []offRow      `json:"addresses_off"`
			CreatedAt       time.Time     `json:"created_at"`
		}
		rows := []row{}
		for _, s := range shops {
			rows = append(rows, row{s.ID.String(), s.Name, s.Version, s.Mode, s.NotificationURL, s.AllowCIDRs, s.Defaults, s.OnSurplus, offRows(off[s.ID]), s.CreatedAt})
		}
		return printJSON(io, rows)
	}
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tMODE\tNOTIFICATIONS\tCREATED")
	for _, s := range shops {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, s.Mode, orNone(s.NotificationURL), s.CreatedAt.UTC().Format(time.RFC3339))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range shops {
		for _, a := range off[s.ID] {
			fmt.Fprintf(io.Out, "%s: %s answered 410 at %s and is switched off; %s held back. 'server shop set %s --resume' sends them.\n",
				s.Name, a.URL, a.At.Format(time.RFC3339), plural.Of(a.Held, "notification is", "notifications are"), s.Name)
		}
	}
	return nil
}

// offRow is a switched-off address in JSON.
type offRow struct {
	URL  string    `json:"url"`
	At   time.Time `json:"at"`
	Held int64     `json:"held"`
}

func offRows(off []store.AddressOff) []offRow {
	rows := []offRow{}
	for _, a := range off {
		rows = append(rows, offRow(a))
	}
	return rows
}

func checkCIDRs(cidrs []string) error {
	for _, cidr := range cidrs {
		if err := notify.CheckAllowed(cidr); err != nil {
			return fmt.Errorf("--allow-cidr %q: %w", cidr, err)
		}
	}
	return nil
}

type webhookSecretCmd struct {
	Rotate webhookSecretRotateCmd `cmd:"" help:"Give a shop another signing secret. Both sign for a while."`
}

type webhookSecretRotateCmd struct {
	Name    string        `arg:"" help:"The shop."`
	Overlap time.Duration `default:"24h" help:"For how long the secret before signs too. 0 after a leak."`
	JSON    bool          `name:"json" help:"Print JSON."`
	reasonFlag
}

// Run implements the command.
func (c webhookSecretRotateCmd) Run(ctx context.Context, io *Streams) error {
	if err := checkOverlap(c.Overlap); err != nil {
		return err
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	secret := shop.NewWebhookSecret()
	if err := db.store.RotateWebhookSecret(ctx, c.Name, gateway.Secret(secret), c.Overlap); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"shop": c.Name, "webhook_secret": secret, "overlap": c.Overlap.String()})
	}
	what := fmt.Sprintf("Notifications of %s carry a signature by both secrets for %s. The new one", c.Name, c.Overlap)
	if c.Overlap == 0 {
		what = fmt.Sprintf("Notifications of %s are signed with the new secret only, within 5 s. It", c.Name)
	}
	fmt.Fprintf(io.Out, "%s is shown once:\n\nwebhook secret: %s\n", what, secret)
	return nil
}
