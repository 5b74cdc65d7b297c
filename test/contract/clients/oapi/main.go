// Command oapi makes a first payment with the client of oapi-codegen.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"payrelay/test/contract/out/oapi"
)

func main() {
	if err := firstPayment(context.Background(), os.Args[1], os.Args[2], os.Args[3] == "changed"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func firstPayment(ctx context.Context, api, key string, changed bool) error {
	client, err := oapi.NewClientWithResponses(api, oapi.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	}))
	if err != nil {
		return err
	}
	one := 1
	accounts, err := client.ListAccountsWithResponse(ctx, &oapi.ListAccountsParams{Limit: &one})
	if err != nil {
		return err
	}
	if accounts.JSON200 == nil || len(accounts.JSON200.Data) != 1 || len(accounts.JSON200.Data[0].Capabilities) == 0 {
		return fmt.Errorf("accounts: %s %s", accounts.Status(), accounts.Body)
	}
	line, city, postal, country := "10 Downing Street", "London", "SW1A 2AA", "GB"
	first, last, email, phone, ip := "John", "Doe", "john@example.com", "+442079460612", "127.0.0.1"
	request := oapi.PaymentRequest{
		Reference: fmt.Sprintf("oapi-%d", time.Now().UnixNano()), Amount: 1000, Currency: "EUR",
		Customer: &oapi.Customer{FirstName: &first, LastName: &last, Email: &email, Phone: &phone, Ip: &ip, Address: &oapi.Address{Line: &line, City: &city, PostalCode: &postal, Country: &country}},
	}
	made, err := client.CreatePaymentWithResponse(ctx, nil, request)
	if err != nil {
		return err
	}
	if made.JSON201 == nil || made.JSON201.NextAction == nil || made.JSON201.NextAction.Url == nil {
		return fmt.Errorf("payment: %s %s", made.Status(), made.Body)
	}
	read, err := client.GetPaymentWithResponse(ctx, made.JSON201.Id)
	if err != nil {
		return err
	}
	if read.JSON200 == nil || read.JSON200.Id != made.JSON201.Id || read.JSON200.Failure != nil {
		return fmt.Errorf("read: %s %s", read.Status(), read.Body)
	}
	transitions, err := client.ListTransitionsWithResponse(ctx, made.JSON201.Id, nil)
	if err != nil {
		return err
	}
	if transitions.JSON200 == nil || len(transitions.JSON200.Data) < 2 {
		return fmt.Errorf("transitions: %s %s", transitions.Status(), transitions.Body)
	}
	feed, err := client.ListNotificationsWithResponse(ctx, nil)
	if err != nil {
		return err
	}
	if feed.JSON200 == nil {
		return fmt.Errorf("feed: %s %s", feed.Status(), feed.Body)
	}
	request.Reference, request.Currency = request.Reference+"-2", "ZZZ"
	refused, err := client.CreatePaymentWithResponse(ctx, nil, request)
	if err != nil {
		return err
	}
	problem := refused.ApplicationproblemJSON422
	if changed {
		problem = refused.ApplicationproblemJSONDefault
	}
	if problem == nil || problem.Errors == nil {
		return fmt.Errorf("refused: %s %s", refused.Status(), refused.Body)
	}
	words := []string{string(read.JSON200.Status), *read.JSON200.Flow, made.JSON201.NextAction.Type, transitions.JSON200.Data[0].Cause, problem.Code, accounts.JSON200.Data[0].Capabilities[0]}
	for _, n := range feed.JSON200.Data {
		words = append(words, n.Type, string(n.Order.Status))
	}
	for _, word := range words {
		if (word == "added_later") != changed {
			return fmt.Errorf("%q in %q: changed is %v", word, words, changed)
		}
	}
	return nil
}
