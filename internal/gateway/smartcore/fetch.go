package smartcore

import (
	"context"
	"slices"

	"payrelay/internal/gateway"
)

// Fetch implements gateway.Gateway by the check call (smartcore.md 4.6).
func (g *Gateway) Fetch(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	if ref.Kind == gateway.KindRefund {
		return g.fetchRefund(ctx, ref)
	}
	r, err := g.check(ctx, ref.OrderID)
	if err != nil {
		return gateway.Result{}, err
	}
	if !names(string(r.OrderID), ref.OrderID, ref.ProviderReference) {
		return gateway.Result{}, r.err(gateway.KindUnknown, check, "other_order")
	}
	return g.read(r, ref), nil
}

// names reports whether id is one of ids. An answer that names no order names the wrong one (smartcore.md A31).
func names(id string, ids ...string) bool { return id != "" && slices.Contains(ids, id) }

// check asks about an id. A check that itself failed says so in err, and a status beside it is about the check
// (smartcore.md 4.6).
func (g *Gateway) check(ctx context.Context, id string) (reply, error) {
	r, err := g.post(ctx, check, orderRequest{OrderID: id})
	switch {
	case err != nil:
		return reply{}, err
	case saysNotFound(string(r.Err)):
		return reply{}, r.err(gateway.KindNotFound, check, string(r.Err))
	case r.Err != "":
		return reply{}, r.err(gateway.KindUnknown, check, string(r.Err))
	case !r.Status.Set:
		return reply{}, r.err(gateway.KindUnknown, check, "no_status")
	}
	return r, nil
}

// fetchRefund asks about a refund by the id that the provider gave it (smartcore.md A24). "No such order" proves
// nothing about a refund, which has no id of ours: it never becomes KindNotFound (smartcore.md 14.5).
func (g *Gateway) fetchRefund(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	if ref.Parent == nil {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindInvalid, Op: check.op, Code: "refund_without_payment"}
	}
	if ref.ProviderReference != "" {
		r, err := g.check(ctx, ref.ProviderReference)
		switch {
		case err == nil && r.about(ref):
			return g.read(r, ref), nil
		case err == nil:
			return gateway.Result{}, r.err(gateway.KindUnknown, check, "other_order")
		case gateway.KindOf(err) != gateway.KindNotFound:
			return gateway.Result{}, err
		}
	}
	// The payment's own check cannot prove a refund, but a person who must decide wants to see it.
	r, err := g.check(ctx, ref.Parent.OrderID)
	if err != nil && gateway.KindOf(err) != gateway.KindNotFound {
		return gateway.Result{}, err
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, check, gateway.CodeNotVisible)
}

// about reports whether a check answer is about refund ref: it names the refund, or it names the payment and is a refund.
func (r reply) about(ref gateway.Ref) bool {
	if kind := kindOf(string(r.Type)); kind != "" && kind != gateway.KindRefund {
		return false
	}
	return names(string(r.OrderID), ref.ProviderReference, ref.OrderID) ||
		names(string(r.OrderID), ref.Parent.OrderID, ref.Parent.ProviderReference) && r.Type == "Refund"
}
