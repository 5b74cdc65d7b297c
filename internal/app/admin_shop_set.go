package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"payrelay/internal/notify"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"

	httpapi "payrelay/internal/http"
)

type shopSetCmd struct {
	Name            string   `arg:"" help:"The shop."`
	NotificationURL string   `name:"notification-url" placeholder:"URL" help:"Where notifications go from now on, unless an order says otherwise."`
	AllowCIDR       []string `name:"allow-cidr" placeholder:"NETWORK:PORT" sep:"none" help:"An internal target that notifications may go to, such as 10.0.0.5:8080 or 10.0.0.0/8:443, in place of those from before. May be given several times."`
	Resume          bool     `name:"resume" help:"Send notifications again to addresses that an answer of 410 switched off, those first that were held back. --notification-url and --allow-cidr do so, too."`
	OnSurplus       string   `name:"on-surplus" enum:",hold,refund" default:"" help:"What becomes of money that nobody asked for and that has an order of its own, such as a late success: hold, so that the shop decides, or refund, at once."`
	ExpectVersion   int64    `placeholder:"N" help:"Change nothing if the shop has another version than this one by now. 'server shop list --json' says which it has."`
	JSON            bool     `name:"json" help:"Print JSON."`
	shopDefaultFlags
	reasonFlag
}

// shopDefaultFlags set what a shop's requests may leave out. An empty value takes a default away; one that is not given stays.
type shopDefaultFlags struct {
	SiteURL    *string `name:"site-url" placeholder:"URL" help:"The shop's site, for requests without site_url. Empty: none."`
	ReturnURL  *string `name:"return-url" placeholder:"URL" help:"Where customers come back to, whatever happened, for requests without return_urls. Empty: none."`
	SuccessURL *string `name:"success-url" placeholder:"URL" help:"Beside --return-url, where the provider tells apart: after a success. Empty: none."`
	FailURL    *string `name:"fail-url" placeholder:"URL" help:"Beside --return-url, where the provider tells apart: after a failure. Empty: none."`
	Flow       *string `name:"flow" placeholder:"FLOW" help:"hosted or direct, for payments without flow. Empty: hosted."`
	Cascade    *string `name:"cascade" placeholder:"CLASS" help:"For direct payments by card without attempts.cascade: the declines after which the payment goes to the next account. none, provider, or issuer, which includes provider. Empty: none."`
}

// over returns the defaults with what was given, and whether anything was.
func (f shopDefaultFlags) over(d shop.Defaults) (shop.Defaults, bool) {
	given := false
	for _, member := range []struct {
		to   *string
		from *string
	}{{&d.SiteURL, f.SiteURL}, {&d.ReturnURL, f.ReturnURL}, {&d.SuccessURL, f.SuccessURL}, {&d.FailURL, f.FailURL}, {&d.Flow, f.Flow}, {&d.Cascade, f.Cascade}} {
		if member.from != nil {
			*member.to, given = *member.from, true
		}
	}
	if d.Cascade == "none" {
		d.Cascade = ""
	}
	return d, given
}

// checkDefaults refuses defaults with which each request that uses them would be refused.
func checkDefaults(d shop.Defaults, allowCIDRs []string) error {
	for _, u := range []struct{ flag, address string }{{"--site-url", d.SiteURL}, {"--return-url", d.ReturnURL}, {"--success-url", d.SuccessURL}, {"--fail-url", d.FailURL}} {
		if u.address == "" {
			continue
		}
		if err := (operatorText{u.flag, u.address}).check(); err != nil {
			return err
		}
		if err := httpapi.CheckURL(u.address, allowCIDRs); err != nil {
			return fmt.Errorf("%s %w. Nothing was changed", u.flag, err)
		}
	}
	switch {
	case d.Flow != "" && d.Flow != "hosted" && d.Flow != "direct":
		return fmt.Errorf("--flow is hosted or direct, and not %q. Nothing was changed", d.Flow)
	case d.Cascade != "" && d.Cascade != string(payment.CascadeProvider) && d.Cascade != string(payment.CascadeIssuer):
		return fmt.Errorf("--cascade is none, provider or issuer, and not %q. Nothing was changed", d.Cascade)
	case d.ReturnURL == "" && d.SuccessURL+d.FailURL != "":
		return errors.New("--success-url and --fail-url stand beside --return-url, because some providers know one address only. Nothing was changed")
	}
	return nil
}

// Run implements the command.
func (c shopSetCmd) Run(ctx context.Context, io *Streams) error {
	_, defaults := c.over(shop.Defaults{})
	notifications := c.NotificationURL != "" || len(c.AllowCIDR) > 0 || c.Resume
	if !notifications && !defaults && c.OnSurplus == "" {
		return errors.New("nothing to change: give --notification-url, --allow-cidr, --resume, --on-surplus, or one of the defaults; --help lists them")
	}
	if err := cmp.Or(operatorText{"--notification-url", c.NotificationURL}.check(), checkCIDRs(c.AllowCIDR)); err != nil {
		return err
	}
	if c.ExpectVersion < 0 {
		return errors.New("--expect-version counts from 1 on")
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	now, err := db.store.SetShop(ctx, c.Name, store.ShopChange{
		Expect: c.ExpectVersion, Resume: notifications, Apply: func(now *shop.Shop) error { return c.change(now, notifications, defaults) },
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io, map[string]any{"name": now.Name, "version": now.Version, "notification_url": now.NotificationURL, "allow_cidrs": now.AllowCIDRs, "defaults": now.Defaults, "on_surplus": now.OnSurplus})
	}
	if notifications {
		to := cmp.Or(now.NotificationURL, "the address that an order names, if it names one")
		fmt.Fprintf(io.Out, "Notifications of %s go to %s from now on. What was held back or waits is sent, in order.\n", c.Name, to)
	}
	if defaults {
		fmt.Fprintf(io.Out, "Requests of %s may leave out what has a default, on every replica within 5 s: 'server shop list --json' shows them.\n", c.Name)
	}
	if c.OnSurplus != "" {
		fmt.Fprintf(io.Out, "Money that nobody asked for at %s: %s.\n", c.Name, map[string]string{"hold": "the shop decides", "refund": "it goes back at once, also what is open now"}[c.OnSurplus])
	}
	return nil
}

// change changes a shop as the command line says.
func (c shopSetCmd) change(now *shop.Shop, notifications, defaults bool) error {
	if len(c.AllowCIDR) > 0 {
		now.AllowCIDRs = c.AllowCIDR
	}
	if c.NotificationURL != "" {
		now.NotificationURL = c.NotificationURL
	}
	if notifications && now.NotificationURL != "" {
		if err := notify.CheckTarget(now.NotificationURL, now.AllowCIDRs); err != nil {
			return fmt.Errorf("--notification-url %w; --allow-cidr allows more. Nothing was changed", err)
		}
	}
	if c.OnSurplus != "" {
		now.OnSurplus = shop.Surplus(c.OnSurplus)
	}
	if !defaults {
		return nil
	}
	now.Defaults, _ = c.over(now.Defaults)
	return checkDefaults(now.Defaults, now.AllowCIDRs)
}
