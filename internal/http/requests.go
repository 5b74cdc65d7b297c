package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"

	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
	"payrelay/internal/requestlog"
)

// keep puts a request into the shop's log, if there is one and the shop is known.
func (s *server) keep(r *http.Request, rec *record, w middleware.WrapResponseWriter, route string, status int, started time.Time) {
	if s.Requests == nil || rec.shopID == uuid.Nil || rec.unlisted {
		return
	}
	order, _ := uuid.Parse(rec.orderID) // zero if none is known
	s.Requests.Add(requestlog.Entry{
		Shop: rec.shopID, ID: uuid.Must(uuid.NewV7()), At: started, RequestID: rec.requestID, Method: knownMethod(r.Method), Route: route, Status: status, Code: rec.code,
		KeyID: rec.key, ClientIP: rec.address.Client, Duration: time.Since(started), Order: order, Replayed: w.Header().Get("Idempotency-Replayed") != "",
	})
}

// errNoRequestLog is the answer where no log is kept.
var errNoRequestLog = &payment.Error{Code: payment.CodeNotFound, Message: "No log of requests is kept here. An operator switches it on with REQUEST_LOG=true."}

func (s *server) listRequests(ctx context.Context, _ *call, q oapi.ListRequestsParams) (reply, error) {
	if s.Requests == nil {
		return reply{}, errNoRequestLog
	}
	f := requestlog.Filter{Shop: shopID(ctx), Limit: pageSize(q.Limit), Cursor: valueOf(q.Cursor)}
	if q.OrderId != nil {
		f.Order = *q.OrderId
	}
	if q.Status != nil {
		f.StatusClass, _ = strconv.Atoi(string(*q.Status)[:1]) // the contract has it begin with a digit
	}
	page, err := s.Requests.Requests(ctx, f)
	if err != nil {
		return reply{}, err
	}
	list := oapi.RequestList{Data: []oapi.RequestLogEntry{}, NextCursor: nullable(page.Next)}
	for _, e := range page.Items {
		entry := oapi.RequestLogEntry{
			Id: e.ID, At: e.At, RequestId: e.RequestID, Method: e.Method, Route: e.Route, Status: e.Status, Code: nullable(e.Code), KeyId: e.KeyID,
			DurationMs: e.Duration.Milliseconds(), Replayed: e.Replayed,
		}
		if e.ClientIP.IsValid() {
			text := e.ClientIP.String()
			entry.ClientIp = &text
		}
		if e.Order != uuid.Nil {
			entry.OrderId = &e.Order
		}
		list.Data = append(list.Data, entry)
	}
	return reply{status: http.StatusOK, body: list}, nil
}
