// Package payrelay is the client of a shop. It has a method for each call of the contract, and verifies notifications.
//
//	client := payrelay.New("https://pay.example.com", os.Getenv("PAYRELAY_KEY"))
//	payment, err := client.CreatePayment(ctx, payrelay.PaymentRequest{Reference: "order-1", Amount: 1000, Currency: "EUR"})
//
// A call that failed for a moment is sent again: when no answer came, with 429, 502, 503, 504, and with the codes
// idempotency_in_progress, refund_in_progress and internal_error. That does nothing twice, for every POST that moves money has
// an Idempotency-Key, which its retries keep. A POST without one is sent once. Pauses grow and are jittered, and Retry-After
// is honoured up to 30 seconds; after a longer one the error says so.
//
// What an answer leaves out, and what is null in it, is the zero value: order.NextAction.Type is "" if there is nothing to
// do. Words such as a status may gain values: a switch over them needs a default.
package payrelay
