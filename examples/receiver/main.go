// Command receiver is the smallest endpoint of a shop: it verifies payrelay's notifications and prints them.
//
//	WEBHOOK_SECRET=whsec_… go run ./examples/receiver
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "where to listen")
	flag.Parse()
	secret := os.Getenv("WEBHOOK_SECRET")
	if secret == "" {
		log.Fatal("set WEBHOOK_SECRET to the shop's webhook secret, whsec_…")
	}
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		log.Fatal("WEBHOOK_SECRET is not a webhook secret, whsec_…")
	}
	server := &http.Server{Addr: *listen, ReadTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The signature is over the raw bytes: verify first, parse afterwards.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || webhook.Verify(body, r.Header) != nil {
			http.Error(w, "the signature does not hold", http.StatusUnauthorized)
			return
		}
		// A real shop writes it down here, once for each webhook-id, before it answers.
		fmt.Printf("verified %s: %s\n", r.Header.Get("webhook-id"), body)
		w.WriteHeader(http.StatusNoContent)
	})}
	log.Printf("listening on http://%s/", *listen)
	log.Fatal(server.ListenAndServe())
}
