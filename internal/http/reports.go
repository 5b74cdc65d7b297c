package httpapi

import (
	"context"
	"io"
	"net/http"

	"payrelay/internal/http/internal/oapi"
)

func (s *server) createTransactionReport(ctx context.Context, _ *call, b *oapi.TransactionReportRequest) (reply, error) {
	in, err := newTransactionReport(ctx, b)
	if err != nil {
		return reply{}, err
	}
	report, err := s.Orders.CreateTransactionReport(ctx, in)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusCreated, body: renderTransactionReport(report), location: "/v1/statements/" + report.ID.String()}, nil
}

func (s *server) getTransactionReport(ctx context.Context, c *call) (reply, error) {
	report, err := s.Orders.TransactionReport(ctx, shopID(ctx), c.id())
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: renderTransactionReport(report)}, nil
}

func (s *server) listTransactionReportRows(ctx context.Context, c *call, q oapi.ListTransactionReportRowsParams) (reply, error) {
	page, err := s.Orders.TransactionReportRows(ctx, shopID(ctx), c.id(), valueOf(q.Cursor), pageSize(q.Limit))
	if err != nil {
		return reply{}, err
	}
	list := oapi.TransactionReportRowList{Data: []oapi.TransactionReportRow{}, NextCursor: nullable(page.Next)}
	for _, row := range page.Items {
		list.Data = append(list.Data, oapi.TransactionReportRow{OrderId: row.Order, Reference: row.Reference, Fields: row.Fields})
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (s *server) getTransactionReportFile(ctx context.Context, c *call) (reply, error) {
	return reply{file: func(w io.Writer) error { return s.Orders.TransactionReportFile(ctx, shopID(ctx), c.id(), w) }}, nil
}
