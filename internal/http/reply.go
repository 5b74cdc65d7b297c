package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// reply is the answer of every operation: a status and a JSON document. The generated server wants a type for each
// operation and status; one that is all of them keeps the handlers to what differs.
type reply struct {
	status   int
	body     any
	location string
}

// orderReply answers with an order: 201 for a new one, 202 while its outcome is unknown, 200 otherwise.
func orderReply(o *payment.Order, created bool) reply {
	body := RenderOrder(o)
	if o.Details != nil {
		_ = json.Unmarshal(o.Details, &body.Details) // our own JSON
	}
	r := reply{status: http.StatusOK, body: body}
	switch {
	case created && o.Status == payment.StatusUnknown:
		r.status = http.StatusAccepted
	case created:
		r.status = http.StatusCreated
	}
	if created {
		r.location = "/v1/orders/" + o.ID.String()
	}
	return r
}

func (r reply) write(w http.ResponseWriter) error {
	var out bytes.Buffer // an answer that cannot be written is a problem, and not half an answer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(r.body); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	if r.location != "" {
		w.Header().Set("Location", r.location)
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(out.Bytes()) // a caller who left needs no other answer
	return nil
}

func (r reply) VisitListAccountsResponse(w http.ResponseWriter) error      { return r.write(w) }
func (r reply) VisitGetBalanceResponse(w http.ResponseWriter) error        { return r.write(w) }
func (r reply) VisitListNotificationsResponse(w http.ResponseWriter) error { return r.write(w) }
func (r reply) VisitListOrdersResponse(w http.ResponseWriter) error        { return r.write(w) }
func (r reply) VisitGetOrderResponse(w http.ResponseWriter) error          { return r.write(w) }
func (r reply) VisitListOrderEventsResponse(w http.ResponseWriter) error   { return r.write(w) }
func (r reply) VisitRefreshOrderResponse(w http.ResponseWriter) error      { return r.write(w) }
func (r reply) VisitCreatePaymentResponse(w http.ResponseWriter) error     { return r.write(w) }
func (r reply) VisitGetPaymentResponse(w http.ResponseWriter) error        { return r.write(w) }
func (r reply) VisitCancelPaymentResponse(w http.ResponseWriter) error     { return r.write(w) }
func (r reply) VisitCapturePaymentResponse(w http.ResponseWriter) error    { return r.write(w) }
func (r reply) VisitChargePaymentResponse(w http.ResponseWriter) error     { return r.write(w) }
func (r reply) VisitConfirmPaymentResponse(w http.ResponseWriter) error    { return r.write(w) }
func (r reply) VisitRefundPaymentResponse(w http.ResponseWriter) error     { return r.write(w) }
func (r reply) VisitCreatePayoutCardResponse(w http.ResponseWriter) error  { return r.write(w) }
func (r reply) VisitGetPayoutCardResponse(w http.ResponseWriter) error     { return r.write(w) }
func (r reply) VisitCreatePayoutResponse(w http.ResponseWriter) error      { return r.write(w) }
func (r reply) VisitGetPayoutResponse(w http.ResponseWriter) error         { return r.write(w) }
func (r reply) VisitGetRefundResponse(w http.ResponseWriter) error         { return r.write(w) }
func (r reply) VisitGetTransferResponse(w http.ResponseWriter) error       { return r.write(w) }
func (r reply) VisitCreateTransferResponse(w http.ResponseWriter) error    { return r.write(w) }
func (r reply) VisitImportTransferResponse(w http.ResponseWriter) error    { return r.write(w) }
func (r reply) VisitConfirmTransferResponse(w http.ResponseWriter) error   { return r.write(w) }
func (r reply) VisitCreateStatementResponse(w http.ResponseWriter) error   { return r.write(w) }
func (r reply) VisitGetStatementResponse(w http.ResponseWriter) error      { return r.write(w) }
func (r reply) VisitListStatementRowsResponse(w http.ResponseWriter) error { return r.write(w) }

// fileReply streams a file. An error before its first byte is still a problem document.
type fileReply struct {
	write func(io.Writer) error
}

// VisitGetStatementFileResponse implements the generated interface.
func (f fileReply) VisitGetStatementFileResponse(w http.ResponseWriter) error {
	out := &lateHeader{w: w}
	if err := f.write(out); err != nil {
		if out.begun {
			panic(http.ErrAbortHandler) // half a file must not look whole
		}
		return err
	}
	if !out.begun {
		_, _ = out.Write(nil)
	}
	return nil
}

// lateHeader sends the headers of a file with its first byte.
type lateHeader struct {
	w     http.ResponseWriter
	begun bool
}

func (l *lateHeader) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
		l.w.Header().Set("Content-Disposition", `attachment; filename="statement.xlsx"`)
		l.w.WriteHeader(http.StatusOK)
	}
	return l.w.Write(p)
}

var _ oapi.GetStatementFileResponseObject = fileReply{}
