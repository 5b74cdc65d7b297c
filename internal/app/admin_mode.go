package app

import (
	"context"
	"fmt"

	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// disableFlags are those of the three commands that switch something off.
type disableFlags struct {
	Mode   string         `required:"" enum:"drain,off" help:"drain: nothing new begins; captures, cancels, refunds, polls, callbacks and notifications go on. off: nothing that moves money is sent to a provider; callbacks are stored, polls and notifications go on."`
	Reason operatorReason `required:"" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
}

// setMode runs a command that switches something off or on.
func setMode(ctx context.Context, io *Streams, reason operatorReason, set func(*store.Store) error, what string, mode shop.Mode) error {
	db, err := operate(ctx, io, reason)
	if err != nil {
		return err
	}
	defer db.close()
	if err := set(db.store); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "%s is %s on every replica within 5 s.\n", what, map[shop.Mode]string{shop.ModeDrain: "drained", shop.ModeOff: "off", shop.ModeEnabled: "enabled"}[mode])
	return nil
}

type shopDisableCmd struct {
	Name string `arg:"" help:"The shop."`
	disableFlags
}

// Run implements the command.
func (c shopDisableCmd) Run(ctx context.Context, io *Streams) error {
	mode := shop.Mode(c.Mode)
	return setMode(ctx, io, c.Reason, func(s *store.Store) error { return s.SetShopMode(ctx, c.Name, mode) }, "Shop "+c.Name, mode)
}

type shopEnableCmd struct {
	Name string `arg:"" help:"The shop."`
	reasonFlag
}

// Run implements the command.
func (c shopEnableCmd) Run(ctx context.Context, io *Streams) error {
	return setMode(ctx, io, c.Reason, func(s *store.Store) error { return s.SetShopMode(ctx, c.Name, shop.ModeEnabled) }, "Shop "+c.Name, shop.ModeEnabled)
}

type keyDisableCmd struct {
	ID string `arg:"" help:"The key's id."`
	disableFlags
}

// Run implements the command.
func (c keyDisableCmd) Run(ctx context.Context, io *Streams) error {
	mode := shop.Mode(c.Mode)
	return setMode(ctx, io, c.Reason, func(s *store.Store) error { return s.SetKeyMode(ctx, c.ID, mode) }, "Key "+c.ID, mode)
}

type keyEnableCmd struct {
	ID string `arg:"" help:"The key's id."`
	reasonFlag
}

// Run implements the command.
func (c keyEnableCmd) Run(ctx context.Context, io *Streams) error {
	return setMode(ctx, io, c.Reason, func(s *store.Store) error { return s.SetKeyMode(ctx, c.ID, shop.ModeEnabled) }, "Key "+c.ID, shop.ModeEnabled)
}

type accountDisableCmd struct {
	Name string `arg:"" help:"The account."`
	disableFlags
}

// Run implements the command.
func (c accountDisableCmd) Run(ctx context.Context, io *Streams) error {
	mode := shop.Mode(c.Mode)
	return setMode(ctx, io, c.Reason, func(s *store.Store) error { return s.SetAccountMode(ctx, c.Name, mode) }, "Account "+c.Name, mode)
}

type accountEnableCmd struct {
	Name string `arg:"" help:"The account."`
	reasonFlag
}

// Run implements the command.
func (c accountEnableCmd) Run(ctx context.Context, io *Streams) error {
	return setMode(ctx, io, c.Reason, func(s *store.Store) error { return s.SetAccountMode(ctx, c.Name, shop.ModeEnabled) }, "Account "+c.Name, shop.ModeEnabled)
}
