package simulation

import (
	"context"
	"slices"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// driver makes gateways of one manner.
type driver struct {
	w      *world
	manner *manner
}

// Name implements gateway.Driver.
func (d *driver) Name() string { return d.manner.name }

// Describe implements gateway.Driver.
func (d *driver) Describe() gateway.Description {
	return gateway.Description{VisibilityDelay: d.manner.visibility, FailedIsFinal: d.manner.failedIsFinal, Horizon: 24 * time.Hour}
}

// Open implements gateway.Driver.
func (d *driver) Open(a gateway.Account) (gateway.Gateway, error) {
	g := &model{w: d.w, p: d.w.provider, manner: d.manner, account: a.Name}
	if d.manner.probes {
		return &probingModel{g}, nil
	}
	return g, nil
}

// model is the gateway of an account at the model of the provider.
type model struct {
	w       *world
	p       *provider
	manner  *manner
	account string
}

// probingModel is a model whose hold must be read before each capture and cancel.
type probingModel struct{ *model }

// HoldUnverified implements gateway.HoldProber.
func (*probingModel) HoldUnverified(ref gateway.Ref) bool { return ref.State[holdState] == "" }

// The parts of an order's state that the adapter keeps.
const (
	holdState         = "hold"
	acknowledgedState = "acknowledged"
	lastState         = "last"
)

var (
	_ gateway.Capturer         = (*model)(nil)
	_ gateway.UnpaidCanceler   = (*model)(nil)
	_ gateway.Refunder         = (*model)(nil)
	_ gateway.Charger          = (*model)(nil)
	_ gateway.Payer            = (*model)(nil)
	_ gateway.PayoutCardOpener = (*model)(nil)
	_ gateway.Transferrer      = (*model)(nil)
	_ gateway.TransferImporter = (*model)(nil)
	_ gateway.HoldProber       = (*probingModel)(nil)
)

// Check implements gateway.Gateway.
func (*model) Check(gateway.Request) []gateway.FieldError { return nil }

// CancelsUnpaid implements gateway.UnpaidCanceler.
func (g *model) CancelsUnpaid() bool { return g.manner.cancelsUnpaid }

// creation is until when a call that makes an order may last: it was written down at a time, and is proved by that.
func creation(ref gateway.Ref) time.Duration { return ref.CreatedAt.Sub(epoch) + providerTimeout }

// CreatePayment implements gateway.Gateway.
func (g *model) CreatePayment(ctx context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
	return g.create(ctx, "create_payment", req.Ref, deal{
		hold: req.Ref.Operation == gateway.OpAuthorize, hosted: req.Flow == gateway.FlowHosted,
	})
}

// Charge implements gateway.Charger.
func (g *model) Charge(ctx context.Context, req gateway.ChargeRequest) (gateway.Result, error) {
	return g.create(ctx, "charge", req.Ref, deal{})
}

// Payout implements gateway.Payer.
func (g *model) Payout(ctx context.Context, req gateway.PayoutRequest) (gateway.Result, error) {
	return g.create(ctx, "payout", req.Ref, deal{})
}

// Transfer implements gateway.Transferrer.
func (g *model) Transfer(ctx context.Context, req gateway.TransferRequest) (gateway.Result, error) {
	return g.create(ctx, "transfer", req.Ref, deal{})
}

// OpenPayoutCard implements gateway.PayoutCardOpener.
func (g *model) OpenPayoutCard(ctx context.Context, req gateway.PayoutCardRequest) (gateway.Result, error) {
	return g.create(ctx, "open_payout_card", req.Ref, deal{hosted: true})
}

// create sends a request that makes an order with an id of its own.
func (g *model) create(ctx context.Context, op string, ref gateway.Ref, d deal) (gateway.Result, error) {
	d.manner, d.account, d.kind, d.id, d.amount = g.manner, g.account, ref.Kind, ref.OrderID, ref.Amount.Minor()
	g.p.count(op, ref.OrderID)
	if slices.Contains(g.w.faults.closed, g.account) {
		return g.w.refuse(op, ref.OrderID)
	}
	return g.w.send(op, ref.OrderID, g.w.ends(ctx, creation(ref)), true, func() answer { return g.p.accept(op, d) })
}

// Refund implements gateway.Refunder. A refund has no id of ours, so nothing keeps the provider from doing it twice.
func (g *model) Refund(ctx context.Context, req gateway.RefundRequest) (gateway.Result, error) {
	g.p.count("refund", req.Refund.OrderID)
	state := map[string]gateway.Secret{}
	if req.Last {
		state[lastState] = "true"
	}
	result, err := g.w.send("refund", req.Refund.OrderID, g.w.ends(ctx, creation(req.Refund)), false, func() answer {
		return g.p.refund(g, req)
	})
	if err == nil && g.manner.acknowledges {
		state[acknowledgedState] = "true"
	}
	result.State = state
	return result, err
}

// Capture implements gateway.Capturer.
func (g *model) Capture(ctx context.Context, ref gateway.Ref, amount money.Money) (gateway.Result, error) {
	return g.command(ctx, "capture", ref, func(d *deal) answer { return g.p.capture(d, amount.Minor()) })
}

// Cancel implements gateway.Canceler.
func (g *model) Cancel(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	return g.command(ctx, "cancel", ref, g.p.cancel)
}

// command sends a capture or cancel, which must have ended in time for the rules of proof.
func (g *model) command(ctx context.Context, op string, ref gateway.Ref, arrive func(*deal) answer) (gateway.Result, error) {
	w := g.w
	ends := w.current.startedAt
	if r := w.store.byProviderOrderID(ref.OrderID); r != nil {
		ends = min(ends, r.order.UpdatedAt.Sub(epoch))
	}
	return w.send(op, ref.OrderID, w.ends(ctx, ends+providerTimeout), false, func() answer {
		d := g.p.find(ref.OrderID)
		if g.manner.probes && ref.State[holdState] == "" {
			w.violate("a %s comes in, and how the hold was shown is not known", op)
		}
		if d == nil {
			return answer{err: errorOf(gateway.KindDeclined, op, "no_such_order")}
		}
		return arrive(d)
	})
}

// FindTransfer implements gateway.TransferImporter.
func (g *model) FindTransfer(ctx context.Context, query gateway.TransferQuery) (gateway.Result, error) {
	return g.w.poll("find_transfer", "", g.w.ends(ctx, g.w.at+pollTimeout), func(*faults) answer {
		d := g.p.byReference(query.ProviderID)
		if d == nil {
			return answer{err: errorOf(gateway.KindNotFound, "find_transfer", "")}
		}
		return answer{result: g.p.result(d, d.now(), gateway.Ref{Operation: gateway.OpSale})}
	})
}

// Fetch implements gateway.Gateway.
func (g *model) Fetch(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	return g.w.poll("fetch", ref.OrderID, g.w.ends(ctx, g.w.at+pollTimeout), func(f *faults) answer { return g.p.status(g.manner, ref, f) })
}
