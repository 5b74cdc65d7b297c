package app

import (
	"context"
	"fmt"
	"strings"

	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// switched is what can be switched off: a kind of thing, and what sets the mode of one.
type switched struct {
	kind string
	set  func(s *store.Store, ctx context.Context, name string, mode shop.Mode) error
}

var (
	switchedShop    = switched{"shop", (*store.Store).SetShopMode}
	switchedKey     = switched{"key", (*store.Store).SetKeyMode}
	switchedAccount = switched{"account", (*store.Store).SetAccountMode}
)

var modeWords = map[shop.Mode]string{shop.ModeDrain: "drained", shop.ModeOff: "off", shop.ModeEnabled: "enabled", shop.ModeClosed: "closed"}

// to runs a command that sets a mode.
func (w switched) to(ctx context.Context, io *Streams, name string, mode shop.Mode, reason operatorReason, asJSON bool) error {
	db, err := operate(ctx, io, reason)
	if err != nil {
		return err
	}
	defer db.close()
	if err := w.set(db.store, ctx, name, mode); err != nil {
		return err
	}
	if asJSON {
		return printJSON(io, map[string]any{w.kind: name, "mode": mode})
	}
	fmt.Fprintf(io.Out, "%s %s is %s on every replica within 5 s.\n", strings.ToUpper(w.kind[:1])+w.kind[1:], name, modeWords[mode])
	return nil
}

// disableFlags are those of the three commands that switch something off.
type disableFlags struct {
	Mode   string         `required:"" enum:"drain,off" placeholder:"MODE" help:"drain: nothing new begins; captures, cancels, refunds, polls, callbacks and notifications go on. off: nothing that moves money is sent to a provider; callbacks are stored, polls and notifications go on."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
	JSON   bool           `name:"json" help:"Print JSON."`
}

func (f disableFlags) disable(ctx context.Context, io *Streams, w switched, name string) error {
	return w.to(ctx, io, name, shop.Mode(f.Mode), f.Reason, f.JSON)
}

// enableFlags are those of the three commands that switch something on again.
type enableFlags struct {
	JSON bool `name:"json" help:"Print JSON."`
	reasonFlag
}

func (f enableFlags) enable(ctx context.Context, io *Streams, w switched, name string) error {
	return w.to(ctx, io, name, shop.ModeEnabled, f.Reason, f.JSON)
}

type shopDisableCmd struct {
	Name string `arg:"" help:"The shop."`
	disableFlags
}

// Run implements the command.
func (c shopDisableCmd) Run(ctx context.Context, io *Streams) error {
	return c.disable(ctx, io, switchedShop, c.Name)
}

type shopEnableCmd struct {
	Name string `arg:"" help:"The shop."`
	enableFlags
}

// Run implements the command.
func (c shopEnableCmd) Run(ctx context.Context, io *Streams) error {
	return c.enable(ctx, io, switchedShop, c.Name)
}

type keyDisableCmd struct {
	ID string `arg:"" help:"The key's id."`
	disableFlags
}

// Run implements the command.
func (c keyDisableCmd) Run(ctx context.Context, io *Streams) error {
	return c.disable(ctx, io, switchedKey, c.ID)
}

type keyEnableCmd struct {
	ID string `arg:"" help:"The key's id."`
	enableFlags
}

// Run implements the command.
func (c keyEnableCmd) Run(ctx context.Context, io *Streams) error {
	return c.enable(ctx, io, switchedKey, c.ID)
}

type accountDisableCmd struct {
	Name string `arg:"" help:"The account."`
	disableFlags
}

// Run implements the command.
func (c accountDisableCmd) Run(ctx context.Context, io *Streams) error {
	return c.disable(ctx, io, switchedAccount, c.Name)
}

type accountEnableCmd struct {
	Name string `arg:"" help:"The account."`
	enableFlags
}

// Run implements the command.
func (c accountEnableCmd) Run(ctx context.Context, io *Streams) error {
	return c.enable(ctx, io, switchedAccount, c.Name)
}

type accountCloseCmd struct {
	Name   string         `arg:"" help:"The account."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
	JSON   bool           `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c accountCloseCmd) Run(ctx context.Context, io *Streams) error {
	return switched{"account", func(s *store.Store, ctx context.Context, name string, _ shop.Mode) error {
		return s.CloseAccount(ctx, name)
	}}.to(ctx, io, c.Name, shop.ModeClosed, c.Reason, c.JSON)
}
