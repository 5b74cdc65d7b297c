package app

import (
	"context"
	"fmt"
	"slices"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

type accountWithholdCmd struct {
	Name       string         `arg:"" help:"The account."`
	Capability string         `arg:"" help:"What its contract leaves out, such as refund. 'server account show' lists what it does."`
	Reason     operatorReason `required:"" placeholder:"TEXT" help:"Why. Shops read it in GET /v1/accounts, and it is kept in the audit log."`
	JSON       bool           `name:"json" help:"Print JSON."`
}

// Run implements the command.
func (c accountWithholdCmd) Run(ctx context.Context, io *Streams) error {
	return withhold(ctx, io, c.Name, c.Capability, string(c.Reason), c.Reason, c.JSON)
}

type accountAllowCmd struct {
	Name       string `arg:"" help:"The account."`
	Capability string `arg:"" help:"What its contract has again."`
	JSON       bool   `name:"json" help:"Print JSON."`
	reasonFlag
}

// Run implements the command.
func (c accountAllowCmd) Run(ctx context.Context, io *Streams) error {
	return withhold(ctx, io, c.Name, c.Capability, "", c.Reason, c.JSON)
}

// withhold leaves a capability out of what an account does, or takes it in again where there is no reason for shops to read.
func withhold(ctx context.Context, io *Streams, name, capability, forShops string, reason operatorReason, asJSON bool) error {
	db, err := operate(ctx, io, reason)
	if err != nil {
		return err
	}
	defer db.close()
	err = db.store.Withhold(ctx, name, capability, forShops, func(a payment.Account) error { return checkCapability(a, capability, forShops == "") })
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(io, map[string]any{"account": name, "capability": capability, "allowed": forShops == ""})
	}
	words := map[bool]string{true: "does %[2]s again", false: "does not do %[2]s any more"}[forShops == ""]
	fmt.Fprintf(io.Out, "Account %[1]s "+words+", on every replica within 5 s.\n", name, capability)
	return nil
}

// checkCapability refuses what an account has not, or what is as it would become.
func checkCapability(a payment.Account, capability string, allow bool) error {
	_, withheld := a.Withheld[capability]
	switch known := payment.Withholdable(); {
	case allow && !withheld:
		return fmt.Errorf("%s of %s is not withheld. Nothing was changed", capability, a.Name)
	case allow:
		return nil
	case capability == gateway.VariantPartialCapture:
		return fmt.Errorf("%s is a setting: 'server account set %s partial_capture=no'. Nothing was changed", capability, a.Name)
	case !slices.Contains(known, capability):
		return fmt.Errorf("%q is nothing that can be withheld%s. Nothing was changed", capability, meant(capability, known))
	}
	info, err := infoOf(a)
	if err == nil && !slices.Contains(info.Capabilities, capability) && !withheld {
		err = fmt.Errorf("account %s does not do %s anyway. Nothing was changed", a.Name, capability)
	}
	return err
}

// infoOf says what an account can do.
func infoOf(a payment.Account) (payment.AccountInfo, error) {
	if a.Unusable != nil {
		return payment.AccountInfo{Account: a}, a.Unusable
	}
	gw, err := openOffline(a)
	if err != nil {
		return payment.AccountInfo{Account: a}, err
	}
	return payment.InfoOf(a, gw), nil
}
