package httpapi

import (
	"context"
	"net/http"

	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// RenderDispute returns a dispute as the API shows it.
func RenderDispute(d payment.Dispute) oapi.Dispute {
	return oapi.Dispute{
		Id: d.ID, Object: "dispute", OrderId: d.OrderID, Kind: oapi.DisputeKind(d.Kind), Status: oapi.DisputeStatus(d.Status),
		Amount: d.Amount.Minor(), Currency: string(d.Amount.Currency()), Overdrawn: d.Overdrawn, ReasonCode: nullable(d.ReasonCode), ProviderCase: nullable(d.ProviderCase),
		DueAt: utc(d.DueAt), RefundsAllowed: d.RefundsAllowed, Source: string(d.Source), Sequence: d.Sequence,
		OpenedAt: d.OpenedAt.UTC(), UpdatedAt: d.UpdatedAt.UTC(), ClosedAt: utc(d.ClosedAt), RefundId: d.RefundID,
	}
}

// disputeEvent is the type of the notification about a step of a dispute.
func disputeEvent(step *payment.DisputeStep) string {
	switch {
	case step.From == "":
		return "dispute.opened"
	case step.To.Final():
		return "dispute.closed"
	}
	return "dispute.updated"
}

func (s *server) listDisputes(ctx context.Context, _ *call, q oapi.ListDisputesParams) (reply, error) {
	page, err := s.Orders.Disputes(ctx, payment.DisputeFilter{
		Shop: shopID(ctx), Order: q.OrderId, Kind: payment.DisputeKind(valueOf(q.Kind)), Status: payment.DisputeStatus(valueOf(q.Status)),
		Limit: pageSize(q.Limit), Cursor: valueOf(q.Cursor),
	})
	if err != nil {
		return reply{}, err
	}
	list := oapi.DisputeList{Data: []oapi.Dispute{}, NextCursor: nullable(page.Next)}
	for _, d := range page.Items {
		list.Data = append(list.Data, RenderDispute(d))
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (s *server) getDispute(ctx context.Context, c *call) (reply, error) {
	return disputeReply(s.Orders.Dispute(ctx, shopID(ctx), c.id()))
}

func (s *server) resolveDispute(ctx context.Context, c *call, b *oapi.DisputeResolution) (reply, error) {
	return disputeReply(s.Orders.ResolveDispute(ctx, shopID(ctx), c.id(), payment.DisputeAction(b.Action)))
}

func disputeReply(d payment.Dispute, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: RenderDispute(d)}, nil
}
