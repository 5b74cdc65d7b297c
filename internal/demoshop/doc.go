// Package demoshop is the shop inside `server dev`: the smallest program that takes a payment through payrelay, and so
// also an example of how a shop should do it.
//
//   - It starts a payment with one call and sends the browser to the order's next_action.
//   - It believes a notification only after its Standard Webhooks signature holds over the raw body (tolerance five
//     minutes), takes each webhook-id once, and never lets an older sequence overwrite a newer one.
//   - It never believes the address that a browser comes back to: the page "thanks" shows what was notified.
//
// It keeps the newest notifications in memory and nothing else. It is for development only.
package demoshop
