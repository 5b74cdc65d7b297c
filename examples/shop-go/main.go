// Command shop-go is a shop that sells one thing. It takes a payment, believes the signed notification, and refunds.
// Start it with the shop's secret: WEBHOOK_SECRET=whsec_… go run .
package main

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"sync"

	payrelay "payrelay/client/go"
)

var (
	address = cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:3000")
	client  = payrelay.New(cmp.Or(os.Getenv("PAYRELAY_URL"), "http://127.0.0.1:8080"), cmp.Or(os.Getenv("PAYRELAY_KEY"), "prk_test_demo"))
	page    = template.Must(template.New("").Parse(`<!doctype html><title>Socks</title><meta http-equiv="refresh" content="2">
<p>Your payment: <b id="payment">{{.Payment.Status}}</b></p>{{if .Refund.ID}}<p>Your refund: <b id="refund">{{.Refund.Status}}</b></p>
{{else if eq .Payment.Status "succeeded"}}<form method="post" action="/orders/{{.Payment.Reference}}/refund"><button id="give-back">Refund</button></form>{{end}}`))
	home   = payrelay.Address{Line: "10 Downing Street", City: "London", PostalCode: "SW1A 2AA", Country: "GB"}
	orders sync.Map // each order as the last notification told it, by its kind and reference: your database
)

func main() {
	webhook, err := payrelay.NewWebhook(os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		log.Fatal("set WEBHOOK_SECRET: ", err)
	}
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><title>Socks</title><form method="post" action="/buy"><button id="buy">Buy blue socks for 10 EUR</button></form>`)
	})
	http.HandleFunc("POST /buy", func(w http.ResponseWriter, r *http.Request) {
		reference := rand.Text() // a real shop stores it before it asks
		back := "http://" + r.Host + "/orders/" + reference
		payment, err := client.CreatePayment(r.Context(), payrelay.PaymentRequest{
			Reference: reference, Amount: 1000, Currency: "EUR", Description: "Blue socks", ReturnURLs: payrelay.ReturnURLs{Success: back, Fail: back},
			Customer: payrelay.Customer{FirstName: "John", LastName: "Doe", Email: "john@example.com", Phone: "+442079460612", IP: "127.0.0.1", Address: home},
		})
		sendOn(w, r, payment, err)
	})
	http.HandleFunc("GET /orders/{reference}", func(w http.ResponseWriter, r *http.Request) {
		_ = page.Execute(w, map[string]any{"Payment": order("payment", r), "Refund": order("refund", r)})
	})
	http.HandleFunc("POST /orders/{reference}/refund", func(w http.ResponseWriter, r *http.Request) {
		refund, err := client.RefundPayment(r.Context(), order("payment", r).ID, payrelay.RefundRequest{Reference: r.PathValue("reference"), Reason: "Too small"})
		sendOn(w, r, refund, err)
	})
	http.HandleFunc("POST /notifications", func(w http.ResponseWriter, r *http.Request) {
		notification, err := webhook.Read(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		orders.Store(notification.Order.Kind+" "+notification.Order.Reference, notification.Order)
		if notification.Type == payrelay.NotificationTypePaymentSucceeded {
			log.Printf("verified: %s is paid, send the socks", notification.Order.Reference)
		}
	})
	log.Printf("the shop is at http://%s/", address)
	log.Fatal(http.ListenAndServe(address, nil))
}

func order(kind string, r *http.Request) payrelay.Order {
	found, _ := orders.Load(kind + " " + r.PathValue("reference"))
	o, _ := found.(payrelay.Order)
	return o
}

func sendOn(w http.ResponseWriter, r *http.Request, o *payrelay.Order, err error) {
	if err != nil {
		log.Print(err)
		http.Error(w, "Something went wrong. Your order's page shows whether you paid.", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, cmp.Or(o.NextAction.URL, "/orders/"+o.Reference), http.StatusSeeOther)
}
