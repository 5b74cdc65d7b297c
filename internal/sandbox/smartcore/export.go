package smartcore

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"
)

// export is one task of the transaction list.
type export struct {
	merchant string
	kind     string
	status   int
	from, to time.Time
	polls    int
	failed   bool
}

func (t *Simulator) exportCreate(c *call) answer {
	bad := c.body.complaints(exportFields)
	kind := c.body.text("type")
	status, errStatus := strconv.Atoi(c.body.text("status"))
	from, errFrom := strconv.ParseInt(c.body.text("dateFrom"), 10, 64)
	to, errTo := strconv.ParseInt(c.body.text("dateTo"), 10, 64)
	switch {
	case kind != "" && kind != "Payment" && kind != "Withdrawal" && kind != "Refund":
		bad = append(bad, "type must be Payment, Withdrawal or Refund")
	case errStatus != nil || (status != StatusSuccess && status != StatusProcessing && status != StatusFailed):
		bad = append(bad, "status must be 2, 1 or -1")
	case errFrom != nil || errTo != nil || from > to:
		bad = append(bad, "dateFrom and dateTo must be Unix milliseconds in order")
	}
	if bad != nil {
		return t.invalid(c, bad...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.exports) > 1000 {
		clear(t.exports)
	}
	id := newProcessingID()
	t.exports[id] = &export{
		merchant: c.merchant.Key, kind: kind, status: status, from: time.UnixMilli(from), to: time.UnixMilli(to),
		polls: t.settings.ExportPendingPolls, failed: t.settings.ExportFails,
	}
	return answer{body: map[string]any{"id": id, "status": StatusProcessing}}
}

func (t *Simulator) exportTask(c *call) *export {
	if e := t.exports[c.task]; e != nil && e.merchant == c.merchant.Key {
		return e
	}
	return nil
}

func (t *Simulator) exportStatus(c *call) answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.exportTask(c)
	if e == nil {
		return answer{status: http.StatusNotFound, body: map[string]any{"err": "NOT_FOUND", "msg": "no such task"}}
	}
	status := StatusSuccess
	switch {
	case e.polls > 0:
		e.polls--
		status = StatusProcessing
	case e.failed:
		status = StatusFailed
	}
	return answer{body: map[string]any{"id": c.task, "status": status}}
}

func (t *Simulator) exportResult(c *call) answer {
	t.mu.Lock()
	e := t.exportTask(c)
	if e == nil || e.polls > 0 || e.failed {
		t.mu.Unlock()
		return answer{status: http.StatusNotFound, body: map[string]any{"err": "NOT_FOUND", "msg": "no finished task of this id"}}
	}
	var rows [][]any
	for _, o := range t.orders.sequence {
		if o.Merchant == e.merchant && o.Type == e.kind && exportedStatus(o) == e.status &&
			!o.CreatedAt.Before(e.from) && !o.CreatedAt.After(e.to) {
			rows = append(rows, exportRow(o))
		}
	}
	t.mu.Unlock()
	raw, err := workbook(rows)
	if err != nil {
		t.log.Error().Err(err).Msg("smartcore export failed")
		return answer{status: http.StatusInternalServerError, body: map[string]any{"err": CodeProcessing}}
	}
	return answer{raw: raw, kind: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
}

func exportedStatus(o *Order) int {
	if o.Status == StatusWaiting {
		return StatusProcessing
	}
	return o.Status
}

// exportHeader is inferred: the columns of the report are not documented.
var exportHeader = []any{
	"Transaction ID", "Order ID", "Parent transaction", "Type", "Status", "Amount", "Final amount", "Currency", "Account",
	"Card number", "RRN", "Error", "Created at", "Finished at",
}

func exportRow(o *Order) []any {
	id := o.ProcessingID
	if o.UUID != "" {
		id = o.UUID
	}
	card, ended := "", ""
	if o.Card != nil {
		card = o.Card.Number
	}
	if o.EndedAt != nil {
		ended = o.EndedAt.Format(checkTime)
	}
	return []any{
		id, o.OrderID, o.Parent, o.Type, strconv.Itoa(o.Status), strconv.FormatInt(o.Amount, 10),
		strconv.FormatInt(o.FinalAmount, 10), o.Currency, o.Account, card, o.RRN, o.Error, o.CreatedAt.Format(checkTime), ended,
	}
}

func workbook(rows [][]any) ([]byte, error) {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	w, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		return nil, fmt.Errorf("make workbook: %w", err)
	}
	for i, row := range append([][]any{exportHeader}, rows...) {
		if err := w.SetRow("A"+strconv.Itoa(i+1), row); err != nil {
			return nil, fmt.Errorf("write row %d: %w", i+1, err)
		}
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("flush workbook: %w", err)
	}
	var buf bytes.Buffer
	if err := f.Write(&buf); err != nil {
		return nil, fmt.Errorf("write workbook: %w", err)
	}
	return buf.Bytes(), nil
}
