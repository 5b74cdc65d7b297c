package smartcore

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/gateway/transport"
)

// taskShape keeps a task's id from being anything but the last part of an address.
var taskShape = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// StartTransactionReport implements gateway.TransactionReportExporter (smartcore.md 12, step 1).
func (g *Gateway) StartTransactionReport(ctx context.Context, req gateway.TransactionReportRequest) (string, error) {
	var f fields
	kind, ok := map[gateway.Kind]string{gateway.KindPayment: "Payment", gateway.KindRefund: "Refund", gateway.KindPayout: "Withdrawal"}[req.Kind]
	if !ok {
		f.add("type", "must be payment, refund or payout")
	}
	status, ok := map[gateway.Status]int64{
		gateway.StatusSucceeded: statusSuccess, gateway.StatusProcessing: statusProcessing, gateway.StatusFailed: statusFail,
	}[req.Status]
	if !ok {
		f.add("status", "must be succeeded, processing or failed")
	}
	if !req.From.Before(req.To) {
		f.add("to", "must be after from")
	}
	if len(f) > 0 {
		return "", &gateway.Error{Kind: gateway.KindInvalid, Op: exportCreate.op, Fields: f}
	}
	r, err := g.post(ctx, exportCreate, exportRequest{Type: kind, Status: status, DateFrom: req.From.UnixMilli(), DateTo: req.To.UnixMilli()})
	if err != nil {
		return "", err
	}
	id := kit.Fit(r.ID, taskShape)
	switch {
	case r.Status.Is(statusFail):
		return "", r.err(gateway.KindDeclined, exportCreate, "failed")
	case id == "":
		return "", r.err(gateway.KindUnknown, exportCreate, "no_task")
	}
	return id, nil
}

// TransactionReportReady implements gateway.TransactionReportExporter (step 2).
func (g *Gateway) TransactionReportReady(ctx context.Context, task string) (bool, error) {
	e := exportStatus
	if kit.Fit(task, taskShape) == "" {
		return false, &gateway.Error{Kind: gateway.KindInvalid, Op: e.op, Code: "task"}
	}
	r, err := g.ask(ctx, e, transport.Call{Method: http.MethodGet, URL: g.url(e) + task})
	switch {
	case err != nil:
		return false, err
	case r.ID != "" && string(r.ID) != task:
		return false, r.err(gateway.KindUnknown, e, "other_task")
	case r.Status.Is(statusSuccess):
		return true, nil
	case r.Status.Is(statusFail):
		return false, r.err(gateway.KindDeclined, e, "failed")
	case !r.Status.Set:
		return false, r.err(gateway.KindUnknown, e, "no_status")
	}
	return false, nil
}

// DownloadTransactionReport implements gateway.TransactionReportExporter (step 3). Nothing is written to w unless a whole workbook came.
func (g *Gateway) DownloadTransactionReport(ctx context.Context, task string, w io.Writer) error {
	e := exportResult
	if kit.Fit(task, taskShape) == "" {
		return &gateway.Error{Kind: gateway.KindInvalid, Op: e.op, Code: "task"}
	}
	resp, err := g.send(ctx, e, transport.Call{
		Method: http.MethodGet, URL: g.url(e) + task + "/result", MaxResponse: largestReport,
	})
	if err != nil {
		return err
	}
	if resp.Status != http.StatusOK || !bytes.HasPrefix(resp.Body, []byte("PK")) { // a workbook is a zip file
		return &gateway.Error{Kind: gateway.KindUnknown, Op: e.op, Code: "no_workbook"}
	}
	if _, err := w.Write(resp.Body); err != nil {
		return &gateway.Error{Kind: gateway.KindUnknown, Op: e.op, Code: "write", Err: err}
	}
	return nil
}
