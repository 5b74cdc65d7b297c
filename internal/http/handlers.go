package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// handlers implements the generated server.
type handlers struct{ *server }

var _ oapi.StrictServerInterface = (*handlers)(nil)

func key(ctx context.Context, id uuid.UUID) payment.Key {
	return payment.Key{Shop: principal(ctx).Shop.ID, Order: id}
}

// created answers with what a use case that makes orders returned.
func created(ctx context.Context, o *payment.Order, isNew bool, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	Note(ctx, o)
	return orderReply(o, isNew), nil
}

// made lets created take the three results of a call.
func made(ctx context.Context) func(*payment.Order, bool, error) (reply, error) {
	return func(o *payment.Order, isNew bool, err error) (reply, error) { return created(ctx, o, isNew, err) }
}

// refused answers a request that is not valid: with the order that it made earlier, if there is one. It may have been valid
// then, such as an address in a network that the shop was allowed.
func (h *handlers) rejected(ctx context.Context, kind gateway.Kind, reference string, reason error) (reply, error) {
	o, err := h.Orders.Earlier(ctx, principal(ctx).Shop.ID, kind, reference, requestHash(ctx))
	if o == nil && err == nil {
		err = reason
	}
	return created(ctx, o, false, err)
}

// one reads an order of a kind; another kind does not exist under this address.
func (h *handlers) one(ctx context.Context, id uuid.UUID, kind gateway.Kind) (reply, error) {
	o, err := h.Orders.Order(ctx, key(ctx, id))
	if err == nil && kind != "" && o.Kind != kind {
		err = payment.ErrNotFound
	}
	return created(ctx, o, false, err)
}

// CreatePayment implements oapi.StrictServerInterface.
func (h *handlers) CreatePayment(ctx context.Context, r oapi.CreatePaymentRequestObject) (oapi.CreatePaymentResponseObject, error) {
	in, err := newPayment(ctx, r.Body)
	if err != nil {
		return h.rejected(ctx, gateway.KindPayment, r.Body.Reference, err)
	}
	return made(ctx)(h.Orders.CreatePayment(ctx, in))
}

// CapturePayment implements oapi.StrictServerInterface.
func (h *handlers) CapturePayment(ctx context.Context, r oapi.CapturePaymentRequestObject) (oapi.CapturePaymentResponseObject, error) {
	minor := int64(0)
	if r.Body != nil && r.Body.Amount != nil {
		minor = *r.Body.Amount
	}
	o, err := h.Orders.Capture(ctx, key(ctx, r.Id), minor)
	return created(ctx, o, false, err)
}

// CancelPayment implements oapi.StrictServerInterface.
func (h *handlers) CancelPayment(ctx context.Context, r oapi.CancelPaymentRequestObject) (oapi.CancelPaymentResponseObject, error) {
	o, err := h.Orders.Cancel(ctx, key(ctx, r.Id))
	return created(ctx, o, false, err)
}

// ConfirmPayment implements oapi.StrictServerInterface.
func (h *handlers) ConfirmPayment(ctx context.Context, r oapi.ConfirmPaymentRequestObject) (oapi.ConfirmPaymentResponseObject, error) {
	code, err := typedCode(r.Body.Code)
	if err != nil {
		return nil, err
	}
	o, err := h.Orders.ConfirmCode(ctx, key(ctx, r.Id), code)
	return created(ctx, o, false, err)
}

// typedCode returns what a customer typed without the blanks around it, which pasting leaves there.
func typedCode(code gateway.Secret) (gateway.Secret, error) {
	code = gateway.Secret(strings.TrimSpace(code.Reveal()))
	if code == "" {
		return "", problems{{Field: "code", Message: "must hold more than blanks"}}.err()
	}
	return code, nil
}

// RefundPayment implements oapi.StrictServerInterface.
func (h *handlers) RefundPayment(ctx context.Context, r oapi.RefundPaymentRequestObject) (oapi.RefundPaymentResponseObject, error) {
	b := r.Body
	if err := checkCommon(ctx, map[string]*string{"notification_url": b.NotificationUrl}, b.Metadata); err != nil {
		return h.rejected(ctx, gateway.KindRefund, b.Reference, err)
	}
	return made(ctx)(h.Orders.Refund(ctx, payment.NewRefund{
		Shop: principal(ctx).Shop.ID, Payment: r.Id, Reference: b.Reference, Minor: valueOf(b.Amount), Reason: b.Reason,
		Metadata: valueOf(b.Metadata), NotificationURL: valueOf(b.NotificationUrl), RequestHash: requestHash(ctx),
	}))
}

// ChargePayment implements oapi.StrictServerInterface.
func (h *handlers) ChargePayment(ctx context.Context, r oapi.ChargePaymentRequestObject) (oapi.ChargePaymentResponseObject, error) {
	b := r.Body
	if err := checkCommon(ctx, map[string]*string{"notification_url": b.NotificationUrl}, b.Metadata); err != nil {
		return h.rejected(ctx, gateway.KindPayment, b.Reference, err)
	}
	return made(ctx)(h.Orders.Charge(ctx, payment.NewCharge{
		Shop: principal(ctx).Shop.ID, Payment: r.Id, Reference: b.Reference, Minor: b.Amount, Description: b.Description,
		Period: string(valueOf(b.Period)), Metadata: valueOf(b.Metadata), NotificationURL: valueOf(b.NotificationUrl), RequestHash: requestHash(ctx),
	}))
}

// CreatePayout implements oapi.StrictServerInterface.
func (h *handlers) CreatePayout(ctx context.Context, r oapi.CreatePayoutRequestObject) (oapi.CreatePayoutResponseObject, error) {
	in, err := newPayout(ctx, r.Body)
	if err != nil {
		return h.rejected(ctx, gateway.KindPayout, r.Body.Reference, err)
	}
	return made(ctx)(h.Orders.Payout(ctx, in))
}

// CreatePayoutCard implements oapi.StrictServerInterface.
func (h *handlers) CreatePayoutCard(ctx context.Context, r oapi.CreatePayoutCardRequestObject) (oapi.CreatePayoutCardResponseObject, error) {
	b := r.Body
	urls, fields := returnURLs(b.ReturnUrls)
	fields["notification_url"] = b.NotificationUrl
	if err := checkCommon(ctx, fields, b.Metadata); err != nil {
		return h.rejected(ctx, gateway.KindPayoutCard, b.Reference, err)
	}
	return made(ctx)(h.Orders.OpenPayoutCard(ctx, payment.NewPayoutCard{
		Shop: principal(ctx).Shop.ID, Reference: b.Reference, Account: b.Account, ReturnURLs: urls,
		Metadata: valueOf(b.Metadata), NotificationURL: valueOf(b.NotificationUrl), RequestHash: requestHash(ctx),
	}))
}

// GetOrder implements oapi.StrictServerInterface.
func (h *handlers) GetOrder(ctx context.Context, r oapi.GetOrderRequestObject) (oapi.GetOrderResponseObject, error) {
	return h.one(ctx, r.Id, "")
}

// GetPayment implements oapi.StrictServerInterface.
func (h *handlers) GetPayment(ctx context.Context, r oapi.GetPaymentRequestObject) (oapi.GetPaymentResponseObject, error) {
	return h.one(ctx, r.Id, gateway.KindPayment)
}

// GetRefund implements oapi.StrictServerInterface.
func (h *handlers) GetRefund(ctx context.Context, r oapi.GetRefundRequestObject) (oapi.GetRefundResponseObject, error) {
	return h.one(ctx, r.Id, gateway.KindRefund)
}

// GetPayout implements oapi.StrictServerInterface.
func (h *handlers) GetPayout(ctx context.Context, r oapi.GetPayoutRequestObject) (oapi.GetPayoutResponseObject, error) {
	return h.one(ctx, r.Id, gateway.KindPayout)
}

// GetPayoutCard implements oapi.StrictServerInterface.
func (h *handlers) GetPayoutCard(ctx context.Context, r oapi.GetPayoutCardRequestObject) (oapi.GetPayoutCardResponseObject, error) {
	return h.one(ctx, r.Id, gateway.KindPayoutCard)
}

// GetTransfer implements oapi.StrictServerInterface.
func (h *handlers) GetTransfer(ctx context.Context, r oapi.GetTransferRequestObject) (oapi.GetTransferResponseObject, error) {
	return h.one(ctx, r.Id, gateway.KindTransfer)
}

// RefreshOrder implements oapi.StrictServerInterface.
func (h *handlers) RefreshOrder(ctx context.Context, r oapi.RefreshOrderRequestObject) (oapi.RefreshOrderResponseObject, error) {
	o, err := h.Orders.Refresh(ctx, key(ctx, r.Id))
	return created(ctx, o, false, err)
}

// ListOrders implements oapi.StrictServerInterface.
func (h *handlers) ListOrders(ctx context.Context, r oapi.ListOrdersRequestObject) (oapi.ListOrdersResponseObject, error) {
	p := r.Params
	page, err := h.Orders.Orders(ctx, payment.Filter{
		Shop: principal(ctx).Shop.ID, Kind: gateway.Kind(valueOf(p.Kind)), Status: payment.Status(valueOf(p.Status)), Reference: valueOf(p.Reference),
		Account: valueOf(p.Account), ParentID: p.ParentId, CreatedFrom: valueOf(p.CreatedFrom), CreatedTo: valueOf(p.CreatedTo), Limit: limit(p.Limit), Cursor: valueOf(p.Cursor),
	})
	if err != nil {
		return nil, err
	}
	list := oapi.OrderList{Data: []oapi.Order{}, NextCursor: nullable(page.Next)}
	for _, o := range page.Items {
		list.Data = append(list.Data, RenderOrder(o))
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// ListOrderEvents implements oapi.StrictServerInterface.
func (h *handlers) ListOrderEvents(ctx context.Context, r oapi.ListOrderEventsRequestObject) (oapi.ListOrderEventsResponseObject, error) {
	history, err := h.Orders.History(ctx, key(ctx, r.Id))
	if err != nil {
		return nil, err
	}
	notified, err := h.Orders.Notified(ctx, key(ctx, r.Id))
	if err != nil {
		return nil, err
	}
	page, err := pageOf(history, func(t payment.Transition) string { return fmt.Sprintf("%010d", t.Sequence) }, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	list := oapi.EventList{Data: []oapi.Event{}, NextCursor: nullable(page.Next)}
	for _, t := range page.Items {
		providerData := map[string]string(t.ProviderData)
		if providerData == nil {
			providerData = map[string]string{}
		}
		list.Data = append(list.Data, oapi.Event{
			Sequence: t.Sequence, From: nullable(string(t.From)), To: oapi.Status(t.To), Cause: string(t.Source), Evidence: providerData, At: t.At.UTC(),
			Notification: renderNotified(notified, t.Sequence),
		})
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// ListNotifications implements oapi.StrictServerInterface. Payloads are passed on as they were signed.
func (h *handlers) ListNotifications(ctx context.Context, r oapi.ListNotificationsRequestObject) (oapi.ListNotificationsResponseObject, error) {
	cursor := r.Params.Cursor
	if after := r.Params.After; after != nil {
		if cursor != nil {
			return nil, problems{{Field: "after", Message: "is another name of cursor: send one of the two"}}.err()
		}
		cursor = after
	}
	page, err := h.Orders.Feed(ctx, principal(ctx).Shop.ID, valueOf(cursor), limit(r.Params.Limit))
	if err != nil {
		return nil, err
	}
	list := struct {
		Data       []json.RawMessage `json:"data"`
		NextCursor *string           `json:"next_cursor"`
		LastCursor *string           `json:"last_cursor"`
	}{Data: []json.RawMessage{}, NextCursor: nullable(page.Next), LastCursor: cursor}
	for _, n := range page.Items {
		list.Data = append(list.Data, n.Payload)
		list.LastCursor = nullable(n.Cursor)
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// ListAccounts implements oapi.StrictServerInterface.
func (h *handlers) ListAccounts(ctx context.Context, r oapi.ListAccountsRequestObject) (oapi.ListAccountsResponseObject, error) {
	accounts, err := h.Orders.Accounts(ctx, principal(ctx).Shop.ID)
	if err != nil {
		return nil, err
	}
	page, err := pageOf(accounts, func(a payment.AccountInfo) string { return a.Name }, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	list := oapi.AccountList{Data: []oapi.Account{}, NextCursor: nullable(page.Next)}
	for _, a := range page.Items {
		list.Data = append(list.Data, oapi.Account{Name: a.Name, Provider: a.Provider, Currency: string(a.Currency), For: string(a.Purpose), Capabilities: a.Capabilities})
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// GetBalance implements oapi.StrictServerInterface.
func (h *handlers) GetBalance(ctx context.Context, r oapi.GetBalanceRequestObject) (oapi.GetBalanceResponseObject, error) {
	b, err := h.Orders.Balance(ctx, principal(ctx).Shop.ID, r.Name)
	if payment.CodeOf(err) == payment.CodeUnknownAccount {
		err = noAccount
	}
	if err != nil {
		return nil, err
	}
	return reply{status: http.StatusOK, body: oapi.Balance{Balance: b.Balance, HoldBalance: b.Hold, RollingBalance: b.Rolling, Currency: string(b.Currency)}}, nil
}

// CreateStatement implements oapi.StrictServerInterface.
func (h *handlers) CreateStatement(ctx context.Context, r oapi.CreateStatementRequestObject) (oapi.CreateStatementResponseObject, error) {
	in, err := newTransactionReport(ctx, r.Body)
	if err != nil {
		return nil, err
	}
	st, err := h.Orders.CreateTransactionReport(ctx, in)
	if err != nil {
		return nil, err
	}
	return reply{status: http.StatusCreated, body: renderTransactionReport(st), location: "/v1/statements/" + st.ID.String()}, nil
}

// GetStatement implements oapi.StrictServerInterface.
func (h *handlers) GetStatement(ctx context.Context, r oapi.GetStatementRequestObject) (oapi.GetStatementResponseObject, error) {
	st, err := h.Orders.TransactionReport(ctx, principal(ctx).Shop.ID, r.Id)
	if err != nil {
		return nil, err
	}
	return reply{status: http.StatusOK, body: renderTransactionReport(st)}, nil
}

// ListStatementRows implements oapi.StrictServerInterface.
func (h *handlers) ListStatementRows(ctx context.Context, r oapi.ListStatementRowsRequestObject) (oapi.ListStatementRowsResponseObject, error) {
	page, err := h.Orders.TransactionReportRows(ctx, principal(ctx).Shop.ID, r.Id, valueOf(r.Params.Cursor), limit(r.Params.Limit))
	if err != nil {
		return nil, err
	}
	list := oapi.StatementRowList{Data: []oapi.StatementRow{}, NextCursor: nullable(page.Next)}
	for _, row := range page.Items {
		list.Data = append(list.Data, oapi.StatementRow{OrderId: row.Order, Reference: row.Reference, Fields: row.Fields})
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// GetStatementFile implements oapi.StrictServerInterface.
func (h *handlers) GetStatementFile(ctx context.Context, r oapi.GetStatementFileRequestObject) (oapi.GetStatementFileResponseObject, error) {
	shop := principal(ctx).Shop.ID
	return fileReply{func(w io.Writer) error { return h.Orders.TransactionReportFile(ctx, shop, r.Id, w) }}, nil
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
