package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

type accountSecretCmd struct {
	Stage   accountSecretStageCmd   `cmd:"" help:"Write down secrets that will replace an account's. They verify callbacks from now on; no call uses them yet."`
	Promote accountSecretPromoteCmd `cmd:"" help:"Make the staged secrets those that calls use. The ones before verify callbacks still."`
	Retire  accountSecretRetireCmd  `cmd:"" help:"Delete the secrets before the last promotion."`
}

type accountSecretStageCmd struct {
	Name        string `arg:"" help:"The account."`
	MerchantKey string `placeholder:"VALUE" help:"smartcore: the new MerchantKey itself, instead of its file."`
	Replace     bool   `help:"Delete another value that is staged already. Callbacks that are signed with it are refused from then on."`
	accountFlags
	reasonFlag
}

// Run implements the command.
func (c accountSecretStageCmd) Run(ctx context.Context, io *Streams) error {
	if len(c.settings()) > 0 {
		return errors.New("settings are not staged: 'server account set' changes them at once")
	}
	secrets, err := c.secrets()
	if err != nil {
		return err
	}
	if c.MerchantKey != "" {
		secrets["merchant_key"] = gateway.Secret(c.MerchantKey)
	}
	if len(secrets) == 0 {
		return errors.New("nothing to stage: give a secret's file; --help lists them")
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.store.StageSecrets(ctx, c.Name, secrets, c.Replace, func(a payment.Account) error {
		return c.check(offlineDrivers(), a.Provider, gateway.Account{Name: a.Name, Currency: a.Currency, Settings: a.Settings, Secrets: a.Secrets})
	}); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "Staged. Next: 'server account test %s --staged', then 'server account secret promote %[1]s'.\n", c.Name)
	return nil
}

type accountSecretPromoteCmd struct {
	Name  string `arg:"" help:"The account."`
	Force bool   `help:"Promote although that deletes previous secrets that may sign callbacks still. Such callbacks are refused, and polls find what they said."`
	reasonFlag
}

// Run implements the command.
func (c accountSecretPromoteCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	a, err := db.store.PromoteSecrets(ctx, c.Name, c.Force, movesCalls)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "Calls of %s use the new secrets within 5 s. Callbacks are verified by the ones before, too, until 'server account secret retire %[1]s', which is allowed after %s.\n", c.Name, store.PreviousSecretsKept)
	printMoved(io, a)
	return nil
}

type accountSecretRetireCmd struct {
	Name   string `arg:"" help:"The account."`
	Leaked bool   `help:"Delete them at once. Callbacks that are signed with them are refused, and polls find what they said."`
	reasonFlag
}

// Run implements the command.
func (c accountSecretRetireCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.store.RetireSecrets(ctx, c.Name, c.Leaked); err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "The previous secrets of %s are deleted.\n", c.Name)
	return nil
}

type accountTokenCmd struct {
	Rotate accountTokenRotateCmd `cmd:"" help:"Give an account another callback address. The one before is taken for a while still."`
}

// maxTokenOverlap is the longest time for which two callback addresses of an account are live.
const maxTokenOverlap = 90 * 24 * time.Hour

type accountTokenRotateCmd struct {
	Name    string        `arg:"" help:"The account."`
	Overlap time.Duration `default:"720h" help:"For how long callbacks to the address before are taken. Orders that are open have told it to the provider. 0 after a leak."`
	JSON    bool          `name:"json" help:"Print JSON."`
	reasonFlag
}

// Run implements the command.
func (c accountTokenRotateCmd) Run(ctx context.Context, io *Streams) error {
	if c.Overlap < 0 || c.Overlap > maxTokenOverlap {
		return errors.New("--overlap is from 0 to 2160h")
	}
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	a, err := db.store.RotateCallbackToken(ctx, c.Name, c.Overlap)
	if err != nil {
		return err
	}
	path := "/callbacks/" + a.Provider + "/" + a.CallbackToken.Reveal()
	if c.JSON {
		return printJSON(io, map[string]any{"name": a.Name, "callback_path": path, "overlap": c.Overlap.String()})
	}
	fmt.Fprintf(io.Out, "Callbacks of %s come to PUBLIC_URL%s for new orders. The address before is taken for %s still.\n", a.Name, path, c.Overlap)
	return nil
}
