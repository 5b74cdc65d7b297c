package payment

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/shop"
)

// The capabilities that an account's contract may leave out, besides those of gateway.Varied.
const (
	canBalance        = "balance"
	canCancel         = "cancel"
	canCapture        = "capture"
	canCardFrame      = "card_frame"
	canPayout         = "payout"
	canPayoutCard     = "payout_card"
	canRecurring      = "recurring"
	canRefund         = "refund"
	canStatement      = "statement"
	canTransfer       = "transfer"
	canTransferImport = "transfer_import"
)

// AccountInfo is an account and what it can do.
type AccountInfo struct {
	Account
	Capabilities []string
	// Off are things that the provider can do and the account does not, each with the reason.
	Off []CapabilityOff
}

// CapabilityOff is something that an account does not do.
type CapabilityOff struct {
	Capability string `json:"capability"`
	Reason     string `json:"reason"`
}

// Accounts lists the accounts a shop may use. One that cannot be used is left out.
func (s *Service) Accounts(ctx context.Context, shop uuid.UUID) ([]AccountInfo, error) {
	accounts, err := s.accountsOf(ctx, shop)
	if err != nil {
		return nil, err
	}
	infos := make([]AccountInfo, 0, len(accounts))
	for _, a := range accounts {
		if a.Unusable != nil {
			continue
		}
		if o, err := s.open(a); err == nil {
			infos = append(infos, InfoOf(a, o.gateway))
		}
	}
	return infos, nil
}

// belongs names the capabilities that only accounts of one purpose have. A balance is what payouts are paid from.
var belongs = map[string]Purpose{
	canCancel: PurposePayments, canCapture: PurposePayments, canRecurring: PurposePayments, canRefund: PurposePayments,
	gateway.VariantPartialCapture: PurposePayments, gateway.VariantCardNumber: PurposePayments,
	canBalance: PurposePayouts, canPayout: PurposePayouts, canPayoutCard: PurposePayouts, canTransfer: PurposePayouts, canTransferImport: PurposePayouts,
	gateway.VariantBankPayout: PurposePayouts,
}

// reads are the capabilities that a closed account keeps: nothing is begun or changed by them.
var reads = []string{canBalance, canStatement}

// InfoOf says what an account can do: what its provider can, less what its purpose, its settings and its contract leave out. One that is
// closed can be read.
func InfoOf(a Account, g gateway.Gateway) AccountInfo {
	info := AccountInfo{Account: a}
	reasons := map[string]string{}
	for _, name := range gateway.Capabilities(g) {
		reasons[name] = ""
	}
	if v, ok := g.(gateway.Varied); ok {
		maps.Copy(reasons, v.Variants())
	}
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		reason := reasons[name]
		if purpose, only := belongs[name]; only && a.Purpose != PurposeAny && a.Purpose != purpose {
			reason = "the account is for " + string(a.Purpose)
		}
		reason = orElse(reason, a.Withheld[name])
		if a.Mode == shop.ModeClosed && !slices.Contains(reads, name) {
			reason = "the account is closed for good"
		}
		if reason == "" {
			info.Capabilities = append(info.Capabilities, name)
		} else {
			info.Off = append(info.Off, CapabilityOff{name, reason})
		}
	}
	return info
}

// can reports whether an account can do something.
func (i AccountInfo) can(capability string) bool { return slices.Contains(i.Capabilities, capability) }

// allows refuses what the account's contract leaves out, before anything is stored or sent.
func (a Account) allows(capabilities ...string) error {
	for _, name := range capabilities {
		if reason := a.Withheld[name]; reason != "" {
			return &Error{Code: CodeUnsupported, Message: "Account " + a.Name + " does not do this (" + name + "): " + reason + ". Nothing was stored or sent. GET /v1/accounts lists what each account can do."}
		}
	}
	return nil
}

// needs names what a payment asks of its account.
func (in NewPayment) needs() (capabilities []string) {
	if in.Manual {
		capabilities = append(capabilities, canCapture)
	}
	if in.Recurring.Enabled {
		capabilities = append(capabilities, canRecurring)
	}
	if in.Method.Card != nil {
		capabilities = append(capabilities, gateway.VariantCardNumber)
	}
	return capabilities
}

// needs names what a payout asks of its account.
func (in NewPayout) needs() []string {
	if in.Method.BankAccount != nil {
		return []string{canPayout, gateway.VariantBankPayout}
	}
	return []string{canPayout}
}

// commandNeeds is what a command asks of the account of its order.
var commandNeeds = map[gateway.Operation]string{gateway.OpCapture: canCapture, gateway.OpCancel: canCancel}

// Withholdable are the capabilities that a contract may leave out. Settings say the others.
func Withholdable() []string {
	return []string{
		canBalance, gateway.VariantBankPayout, canCancel, canCapture, canCardFrame, gateway.VariantCardNumber, canPayout, canPayoutCard, canRecurring, canRefund,
		canStatement, canTransfer, canTransferImport,
	}
}
