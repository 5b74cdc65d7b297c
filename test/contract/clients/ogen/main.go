// Command ogen makes a first payment with the client of ogen.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"payrelay/test/contract/out/ogen"
)

type key string

func (k key) Key(context.Context, ogen.OperationName) (ogen.Key, error) {
	return ogen.Key{Token: string(k)}, nil
}

func main() {
	if err := firstPayment(context.Background(), os.Args[1], key(os.Args[2]), os.Args[3] == "changed"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func firstPayment(ctx context.Context, api string, shop key, changed bool) error {
	client, err := ogen.NewClient(api, shop)
	if err != nil {
		return err
	}
	answer, err := client.ListAccounts(ctx, ogen.ListAccountsParams{Limit: ogen.NewOptInt(1)})
	accounts, ok := answer.(*ogen.AccountListHeaders)
	if err != nil || !ok || len(accounts.Response.Data) != 1 || len(accounts.Response.Data[0].Capabilities) == 0 {
		return fmt.Errorf("accounts: %#v %w", answer, err)
	}
	text := ogen.NewOptString
	request := &ogen.PaymentRequest{
		Reference: ogen.Reference(fmt.Sprintf("ogen-%d", time.Now().UnixNano())), Amount: 1000, Currency: "EUR",
		Customer: ogen.NewOptCustomer(ogen.Customer{
			FirstName: text("John"), LastName: text("Doe"), Email: text("john@example.com"), Phone: ogen.NewOptPhone("+442079460612"), IP: text("127.0.0.1"),
			Address: ogen.NewOptAddress(ogen.Address{Line: text("10 Downing Street"), City: text("London"), PostalCode: text("SW1A 2AA"), Country: text("GB")}),
		}),
	}
	created, err := client.CreatePayment(ctx, request, ogen.CreatePaymentParams{})
	made, ok := created.(*ogen.NewPaymentHeaders)
	if err != nil || !ok || made.Response.NextAction.Null || !made.Response.NextAction.Value.URL.Set {
		return fmt.Errorf("payment: %#v %w", created, err)
	}
	got, err := client.GetPayment(ctx, ogen.GetPaymentParams{ID: made.Response.ID})
	read, ok := got.(*ogen.PaymentHeaders)
	if err != nil || !ok || read.Response.ID != made.Response.ID || !read.Response.Failure.Null {
		return fmt.Errorf("read: %#v %w", got, err)
	}
	history, err := client.ListTransitions(ctx, ogen.ListTransitionsParams{ID: made.Response.ID})
	transitions, ok := history.(*ogen.TransitionListHeaders)
	if err != nil || !ok || len(transitions.Response.Data) < 2 {
		return fmt.Errorf("transitions: %#v %w", history, err)
	}
	news, err := client.ListNotifications(ctx, ogen.ListNotificationsParams{})
	feed, ok := news.(*ogen.NotificationListHeaders)
	if err != nil || !ok {
		return fmt.Errorf("feed: %#v %w", news, err)
	}
	request.Reference, request.Currency = request.Reference+"-2", "ZZZ"
	refused, err := client.CreatePayment(ctx, request, ogen.CreatePaymentParams{})
	var problem ogen.Problem
	var unknown *ogen.ProblemStatusCodeWithHeaders
	known, ok := refused.(*ogen.CreatePaymentUnprocessableEntity)
	switch {
	case changed && errors.As(err, &unknown):
		problem = unknown.Response
	case !changed && err == nil && ok:
		problem = known.Response
	default:
		return fmt.Errorf("refused: %#v %w", refused, err)
	}
	words := []string{
		string(read.Response.Status), read.Response.Flow.Value, made.Response.NextAction.Value.Type, transitions.Response.Data[0].Cause, problem.Code,
		accounts.Response.Data[0].Capabilities[0],
	}
	for _, n := range feed.Response.Data {
		words = append(words, n.Type, string(n.Order.Status))
	}
	for _, word := range words {
		if (word == "added_later") != changed {
			return fmt.Errorf("%q in %q: changed is %v", word, words, changed)
		}
	}
	return nil
}
