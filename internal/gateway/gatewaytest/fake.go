package gatewaytest

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// Fake is a driver whose every account opens to the same scripted gateway. A function that is not set answers with an
// error of KindUnsupported. It is safe for concurrent use if its functions are; set them before.
type Fake struct {
	// ProviderName is the driver's name, "fake" if empty.
	ProviderName string
	// Description is what Describe returns; durations of a minute and a day if zero.
	Description gateway.Description
	// OpenFunc, if set, checks an account.
	OpenFunc func(gateway.Account) error
	// Plain makes gateways without optional methods, but for EndScheduleFunc: the provider charges mandates by its own schedule.
	Plain bool

	CreatePaymentFunc             func(context.Context, gateway.PaymentRequest) (gateway.Result, error)
	FetchFunc                     func(context.Context, gateway.Ref) (gateway.Result, error)
	ReadCallbackFunc              func(gateway.RawCallback) (gateway.Notification, error)
	CheckFunc                     func(gateway.Request) []gateway.FieldError
	HeldBackFunc                  func(gateway.Ref) time.Duration
	CaptureFunc                   func(context.Context, gateway.Ref, money.Money) (gateway.Result, error)
	CancelFunc                    func(context.Context, gateway.Ref) (gateway.Result, error)
	RefundFunc                    func(context.Context, gateway.RefundRequest) (gateway.Result, error)
	ChargeFunc                    func(context.Context, gateway.ChargeRequest) (gateway.Result, error)
	ConfirmCodeFunc               func(context.Context, gateway.Ref, gateway.Secret) (gateway.Result, error)
	PayoutFunc                    func(context.Context, gateway.PayoutRequest) (gateway.Result, error)
	OpenPayoutCardFunc            func(context.Context, gateway.PayoutCardRequest) (gateway.Result, error)
	TransferFunc                  func(context.Context, gateway.TransferRequest) (gateway.Result, error)
	FindTransferFunc              func(context.Context, gateway.TransferQuery) (gateway.Result, error)
	BalanceFunc                   func(context.Context) (gateway.Balance, error)
	EndScheduleFunc               func(ref gateway.Ref, days int) (time.Time, error)
	StartTransactionReportFunc    func(context.Context, gateway.TransactionReportRequest) (string, error)
	TransactionReportReadyFunc    func(context.Context, string) (bool, error)
	DownloadTransactionReportFunc func(context.Context, string, io.Writer) error

	mu    sync.Mutex
	calls []string
}

var _ gateway.Driver = (*Fake)(nil)

// Name implements gateway.Driver.
func (f *Fake) Name() string {
	if f.ProviderName == "" {
		return "fake"
	}
	return f.ProviderName
}

// Describe implements gateway.Driver.
func (f *Fake) Describe() gateway.Description {
	d := f.Description
	if d.VisibilityDelay == 0 {
		d.VisibilityDelay = time.Minute
	}
	if d.Horizon == 0 {
		d.Horizon = 24 * time.Hour
	}
	d.OwnSchedule = f.Plain
	return d
}

// Open implements gateway.Driver.
func (f *Fake) Open(account gateway.Account) (gateway.Gateway, error) {
	if f.OpenFunc != nil {
		if err := f.OpenFunc(account); err != nil {
			return nil, err
		}
	}
	if f.Plain && f.EndScheduleFunc != nil {
		return plainEnder{f.Gateway(), f}, nil
	}
	if f.Plain {
		return struct{ gateway.Gateway }{f.Gateway()}, nil
	}
	return f.Gateway(), nil
}

// plainEnder is a plain gateway that ends schedules.
type plainEnder struct {
	gateway.Gateway
	f *Fake
}

// EndSchedule implements gateway.ScheduleEnder.
func (g plainEnder) EndSchedule(_ context.Context, ref gateway.Ref, days int) (time.Time, error) {
	return g.f.EndScheduleFunc(ref, days)
}

// Gateway returns the scripted gateway.
func (f *Fake) Gateway() *FakeGateway { return &FakeGateway{f} }

// Calls lists the methods that were called, in order.
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *Fake) called(name string, scripted bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, name)
	if !scripted {
		return &gateway.Error{Kind: gateway.KindUnsupported, Op: name, Code: "not_scripted"}
	}
	return nil
}

// FakeGateway is the gateway of a Fake. It has every optional method.
type FakeGateway struct{ f *Fake }

var (
	_ gateway.Gateway                   = (*FakeGateway)(nil)
	_ gateway.Capturer                  = (*FakeGateway)(nil)
	_ gateway.Canceler                  = (*FakeGateway)(nil)
	_ gateway.Refunder                  = (*FakeGateway)(nil)
	_ gateway.Charger                   = (*FakeGateway)(nil)
	_ gateway.CodeConfirmer             = (*FakeGateway)(nil)
	_ gateway.Payer                     = (*FakeGateway)(nil)
	_ gateway.PayoutCardOpener          = (*FakeGateway)(nil)
	_ gateway.Transferrer               = (*FakeGateway)(nil)
	_ gateway.TransferImporter          = (*FakeGateway)(nil)
	_ gateway.BalanceReader             = (*FakeGateway)(nil)
	_ gateway.TransactionReportExporter = (*FakeGateway)(nil)
)

// ask records a call and runs its script.
func ask[A, R any](ctx context.Context, f *Fake, name string, fn func(context.Context, A) (R, error), a A) (R, error) {
	if err := f.called(name, fn != nil); err != nil {
		var zero R
		return zero, err
	}
	return fn(ctx, a)
}

// CreatePayment implements gateway.Gateway.
func (g *FakeGateway) CreatePayment(ctx context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
	return ask(ctx, g.f, "CreatePayment", g.f.CreatePaymentFunc, req)
}

// Fetch implements gateway.Gateway.
func (g *FakeGateway) Fetch(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	return ask(ctx, g.f, "Fetch", g.f.FetchFunc, ref)
}

// ReadCallback implements gateway.Gateway. It is not recorded: it does no I/O.
func (g *FakeGateway) ReadCallback(raw gateway.RawCallback) (gateway.Notification, error) {
	if g.f.ReadCallbackFunc == nil {
		return gateway.Notification{}, &gateway.Error{Kind: gateway.KindRejected, Op: "callback", Code: "not_scripted"}
	}
	return g.f.ReadCallbackFunc(raw)
}

// Check implements gateway.Gateway. It is not recorded.
func (g *FakeGateway) Check(req gateway.Request) []gateway.FieldError {
	if g.f.CheckFunc == nil {
		return nil
	}
	return g.f.CheckFunc(req)
}

// HeldBack implements gateway.Holder. Nothing is held back unless it is scripted.
func (g *FakeGateway) HeldBack(ref gateway.Ref) time.Duration {
	if g.f.HeldBackFunc == nil {
		return 0
	}
	return g.f.HeldBackFunc(ref)
}

// Capture implements gateway.Capturer.
func (g *FakeGateway) Capture(ctx context.Context, ref gateway.Ref, amount money.Money) (gateway.Result, error) {
	if err := g.f.called("Capture", g.f.CaptureFunc != nil); err != nil {
		return gateway.Result{}, err
	}
	return g.f.CaptureFunc(ctx, ref, amount)
}

// Cancel implements gateway.Canceler.
func (g *FakeGateway) Cancel(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	return ask(ctx, g.f, "Cancel", g.f.CancelFunc, ref)
}

// Refund implements gateway.Refunder.
func (g *FakeGateway) Refund(ctx context.Context, req gateway.RefundRequest) (gateway.Result, error) {
	return ask(ctx, g.f, "Refund", g.f.RefundFunc, req)
}

// Charge implements gateway.Charger.
func (g *FakeGateway) Charge(ctx context.Context, req gateway.ChargeRequest) (gateway.Result, error) {
	return ask(ctx, g.f, "Charge", g.f.ChargeFunc, req)
}

// ConfirmCode implements gateway.CodeConfirmer.
func (g *FakeGateway) ConfirmCode(ctx context.Context, ref gateway.Ref, code gateway.Secret) (gateway.Result, error) {
	if err := g.f.called("ConfirmCode", g.f.ConfirmCodeFunc != nil); err != nil {
		return gateway.Result{}, err
	}
	return g.f.ConfirmCodeFunc(ctx, ref, code)
}

// Payout implements gateway.Payer.
func (g *FakeGateway) Payout(ctx context.Context, req gateway.PayoutRequest) (gateway.Result, error) {
	return ask(ctx, g.f, "Payout", g.f.PayoutFunc, req)
}

// OpenPayoutCard implements gateway.PayoutCardOpener.
func (g *FakeGateway) OpenPayoutCard(ctx context.Context, req gateway.PayoutCardRequest) (gateway.Result, error) {
	return ask(ctx, g.f, "OpenPayoutCard", g.f.OpenPayoutCardFunc, req)
}

// Transfer implements gateway.Transferrer.
func (g *FakeGateway) Transfer(ctx context.Context, req gateway.TransferRequest) (gateway.Result, error) {
	return ask(ctx, g.f, "Transfer", g.f.TransferFunc, req)
}

// FindTransfer implements gateway.TransferImporter.
func (g *FakeGateway) FindTransfer(ctx context.Context, query gateway.TransferQuery) (gateway.Result, error) {
	return ask(ctx, g.f, "FindTransfer", g.f.FindTransferFunc, query)
}

// Balance implements gateway.BalanceReader.
func (g *FakeGateway) Balance(ctx context.Context) (gateway.Balance, error) {
	if err := g.f.called("Balance", g.f.BalanceFunc != nil); err != nil {
		return gateway.Balance{}, err
	}
	return g.f.BalanceFunc(ctx)
}

// StartTransactionReport implements gateway.TransactionReportExporter.
func (g *FakeGateway) StartTransactionReport(ctx context.Context, req gateway.TransactionReportRequest) (string, error) {
	return ask(ctx, g.f, "StartStatement", g.f.StartTransactionReportFunc, req)
}

// TransactionReportReady implements gateway.TransactionReportExporter.
func (g *FakeGateway) TransactionReportReady(ctx context.Context, task string) (bool, error) {
	return ask(ctx, g.f, "StatementReady", g.f.TransactionReportReadyFunc, task)
}

// DownloadTransactionReport implements gateway.TransactionReportExporter.
func (g *FakeGateway) DownloadTransactionReport(ctx context.Context, task string, w io.Writer) error {
	if err := g.f.called("DownloadStatement", g.f.DownloadTransactionReportFunc != nil); err != nil {
		return err
	}
	return g.f.DownloadTransactionReportFunc(ctx, task, w)
}
