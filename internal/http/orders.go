package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// orderOf reads an order of one kind; another kind does not exist under this address.
func (s *server) orderOf(kind gateway.Kind) func(context.Context, payment.Key) (*payment.Order, error) {
	return func(ctx context.Context, key payment.Key) (*payment.Order, error) {
		o, err := s.Orders.Order(ctx, key)
		if err == nil && o.Kind != kind {
			return nil, payment.ErrNotFound
		}
		return o, err
	}
}

func (s *server) listOrders(ctx context.Context, _ *call, q oapi.ListOrdersParams) (reply, error) {
	page, err := s.Orders.Orders(ctx, payment.Filter{
		Shop: shopID(ctx), Kind: gateway.Kind(valueOf(q.Kind)), Status: payment.Status(valueOf(q.Status)), Reference: valueOf(q.Reference),
		Account: valueOf(q.Account), ProviderOrderID: valueOf(q.ProviderOrderId), ProviderReference: valueOf(q.ProviderReference), ParentID: q.ParentId, CreatedFrom: valueOf(q.CreatedFrom), CreatedTo: valueOf(q.CreatedTo), Limit: pageSize(q.Limit), Cursor: valueOf(q.Cursor),
	})
	if err != nil {
		return reply{}, err
	}
	list := oapi.OrderList{Data: []oapi.Order{}, NextCursor: nullable(page.Next)}
	for _, o := range page.Items {
		if !o.Frozen { // what its record says is not passed on
			list.Data = append(list.Data, RenderOrder(o))
		}
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (s *server) listTransitions(ctx context.Context, c *call, q oapi.ListTransitionsParams) (reply, error) {
	history, err := s.Orders.History(ctx, c.key())
	if err != nil {
		return reply{}, err
	}
	notified, err := s.Orders.Notified(ctx, c.key())
	if err != nil {
		return reply{}, err
	}
	page, err := pageOf(history, "transitions", func(t payment.Transition) string { return fmt.Sprintf("%010d", t.Sequence) }, q.Cursor, q.Limit)
	if err != nil {
		return reply{}, err
	}
	list := oapi.TransitionList{Data: []oapi.Transition{}, NextCursor: nullable(page.Next)}
	for _, t := range page.Items {
		list.Data = append(list.Data, renderTransition(t, notified))
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func (s *server) listAttempts(ctx context.Context, c *call, q oapi.ListAttemptsParams) (reply, error) {
	o, err := s.Orders.Order(ctx, c.key())
	if err != nil {
		return reply{}, err
	}
	ended, err := s.Orders.EndedAttempts(ctx, c.key())
	if err != nil {
		return reply{}, err
	}
	var all []oapi.Attempt
	for _, a := range ended {
		all = append(all, oapi.Attempt{
			Number: a.Number, Provider: a.Provider, Account: a.AccountName, ProviderOrderId: a.ProviderOrderID, Status: oapi.Status(payment.StatusFailed),
			Reason: &a.Reason, FailureCode: nullable(a.FailureCode), EndedAt: utc(&a.At),
		})
	}
	all = append(all, oapi.Attempt{
		Number: len(ended) + 1, Provider: o.Provider, Account: o.AccountName, ProviderOrderId: o.ProviderOrderID, Status: oapi.Status(o.Status),
	})
	page, err := pageOf(all, "attempts", func(a oapi.Attempt) string { return fmt.Sprintf("%02d", a.Number) }, q.Cursor, q.Limit)
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: oapi.AttemptList{Data: page.Items, NextCursor: nullable(page.Next)}}, nil
}

// listNotifications passes payloads on as they were signed. What was removed is rendered again, and says so.
func (s *server) listNotifications(ctx context.Context, _ *call, q oapi.ListNotificationsParams) (reply, error) {
	cursor := q.Cursor
	if q.After != nil {
		if cursor != nil {
			return reply{}, problems{{Field: "after", Message: "is another name of cursor: send one of the two"}}.err()
		}
		cursor = q.After
	}
	if q.Since != nil {
		if cursor != nil {
			return reply{}, problems{{Field: "since", Message: "is for a first page: leave it out when you send a cursor"}}.err()
		}
		begin, err := s.Orders.FeedCursor(ctx, shopID(ctx), *q.Since)
		if err != nil {
			return reply{}, err
		}
		cursor = &begin
	}
	page, err := s.Orders.Feed(ctx, shopID(ctx), valueOf(cursor), pageSize(q.Limit))
	if err != nil {
		return reply{}, err
	}
	list := struct {
		Data       []json.RawMessage `json:"data"`
		NextCursor *string           `json:"next_cursor"`
		LastCursor *string           `json:"last_cursor"`
		Rewound    bool              `json:"rewound"`
	}{Data: []json.RawMessage{}, NextCursor: nullable(page.Next), LastCursor: nullable(page.Cursor), Rewound: page.Rewound}
	recordOf(ctx).unlisted = len(page.Items) == 0 && !page.Rewound
	for _, n := range page.Items {
		payload := n.Payload
		if payload == nil {
			if payload, err = renderRemoved(n); err != nil {
				return reply{}, err
			}
		}
		list.Data = append(list.Data, payload)
	}
	return reply{status: http.StatusOK, body: list}, nil
}
