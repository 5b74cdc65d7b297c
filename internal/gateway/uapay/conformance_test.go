package uapay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/gateway/transport"
)

const canarySecret = "canary-secret-72"

func TestConformance(t *testing.T) {
	t.Parallel()
	const secret = canarySecret
	canary := func(req gateway.PaymentRequest) gateway.PaymentRequest {
		req.Customer.LastName, req.Customer.Email = "Canarylastname", "canary@example.com"
		return req
	}
	seal := func(data string) string {
		return `{"status":1,"data":{"token":"` + sealToken([]byte(secret), []byte(data)) + `"}}`
	}
	led := known(gateway.OpSale)
	led.State = saved(stateInvoice, testInvoice, statePayment, testPayment, stateDirect, "1", stateKey, "canary-key-73", stateLeft, "3")
	transfer := gateway.Ref{Kind: gateway.KindTransfer, Operation: gateway.OpSale, OrderID: "tr-77", Amount: uah(10000), State: saved(statePayment, testP2P, stateEngine, engineClassic)}
	payout := gateway.Ref{Kind: gateway.KindPayout, Operation: gateway.OpSale, OrderID: "tr-77", Amount: uah(10000), State: saved(statePayment, testP2P, stateEngine, engineSplit)}
	hold := known(gateway.OpAuthorize)
	refund := gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, OrderID: "rf-1", Amount: uah(5000), Parent: &led, State: saved(statePayment, testPayment, stateAccepted, "1")}
	type (
		gw  = gateway.Gateway
		res = gateway.Result
	)
	subject := gatewaytest.Subject{
		Provider: Name,
		Open: func(t testing.TB, client *transport.Client, url string) gateway.Gateway {
			a := account(url)
			a.Secrets = map[string]gateway.Secret{"secret": secret}
			g, err := New(client).Open(a)
			require.NoError(t, err)
			g.(*Gateway).pause = 0
			return g
		},
		Secrets: []string{secret, "canary-key-73", "canary-code-74", "9173-no", "4003830171874018"},
		Answer: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			data := ""
			switch strings.TrimPrefix(r.URL.Path, "/api/") {
			case "sessions/create":
				data = `{"id":"` + testSession + `"}`
			case "invoicer/invoices/create":
				data = `{"id":"` + testInvoice + `","paymentPageUrl":"https://pay.demo.uapay.ua/payment/` + testInvoice + `"}`
			case "invoicer/payments/create":
				data = `{"id":"` + testPayment + `","key":"canary-key-73"}`
			case "invoicer/payments/checkStatus":
				data = `{"id":"` + testPayment + `","status":"PENDING","paymentStatus":"NEW","amount":25000,"key":"canary-key-73"}`
			case "invoicer/payments/show":
				data = `{"paymentId":"` + testPayment + `","status":"NEW","paymentStatus":"PENDING","amount":25000,"email":"canary@example.com"}`
			case "invoicer/payments/confirm", "payments/p2p/confirm":
				_, _ = io.WriteString(w, `{"status":1}`)
				return
			case "invoicer/payments/complete", "invoicer/payments/cancel", "invoicer/payments/reverse":
				data = `{"paymentId":"` + testPayment + `"}`
			case "invoicer/invoices/show":
				data = `{"id":"` + testInvoice + `","amount":25000,"invoiceStatus":"ACTIVE","email":"canary@example.com","payments":[]}`
			case "payments/p2p/direct/create":
				data = `{"id":"` + testP2P + `","key":"canary-key-73"}`
			case "payments/p2p/show":
				data = `{"id":"` + testP2P + `","status":"PENDING","amount":10000,"externalId":"tr-77"}`
			case "p2p/payments/show":
				data = `{"id":"` + testP2P + `","status":"OPEN","amount":10000,"operations":[]}`
			case "p2p/payments/a2c/initiate", "p2p/payments/a2c/complete":
				data = `{"paymentId":"` + testP2P + `","operationId":"1","externalId":"tr-77"}`
			case "invoicer/subscriptions/update":
				data = `{"invoiceId":"` + testInvoice + `","expiresAt":"` + time.Now().UTC().Format(time.RFC3339) + `"}`
			}
			_, _ = io.WriteString(w, seal(data))
		}),
		Prelude: opensSession, Initiated: []string{"payout"},
		Session:  &gatewaytest.Session{Opens: opensSession, Lost: lostSession},
		Codes:    codesOf(led, "invoicer/payments/confirm", "invoicer/payments/checkStatus"),
		Readings: readings(),
		Echo:     echo,
		Hosted:   func() gateway.PaymentRequest { return canary(hosted()) },
		Operations: map[string]func(context.Context, gw) (res, error){
			"create direct":  func(ctx context.Context, g gw) (res, error) { return g.CreatePayment(ctx, canary(direct(t))) },
			"fetch hosted":   func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, known(gateway.OpSale)) },
			"fetch direct":   func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, led) },
			"fetch refund":   func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, refund) },
			"fetch transfer": func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, transfer) },
			"fetch payout":   func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, payout) },
			"capture": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Capturer).Capture(ctx, hold, uah(20000))
			},
			"cancel": func(ctx context.Context, g gw) (res, error) { return g.(gateway.Canceler).Cancel(ctx, hold) },
			"confirm": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.CodeConfirmer).ConfirmCode(ctx, led, "123456")
			},
			"end schedule": func(ctx context.Context, g gw) (res, error) {
				_, err := g.(gateway.ScheduleEnder).EndSchedule(ctx, known(gateway.OpSale), 30)
				return res{Status: gateway.StatusProcessing, ProviderData: gateway.ProviderData{"outcome": "the schedule ends"}}, err
			},
			"transfer": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Transferrer).Transfer(ctx, gateway.TransferRequest{
					Ref:  gateway.Ref{Kind: gateway.KindTransfer, OrderID: "tr-77", Amount: uah(10000)},
					From: gateway.TransferEnd{Card: mustCard(t, "4003830171874018")}, To: gateway.TransferEnd{CardID: testCard},
					Customer: gateway.Customer{Phone: "+380000000000", Email: "canary@example.com"},
				})
			},
			"payout": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Payer).Payout(ctx, gateway.PayoutRequest{
					Ref:    gateway.Ref{Kind: gateway.KindPayout, OrderID: "tr-77", Amount: uah(10000)},
					Method: gateway.PayoutMethod{Card: paidTo(t, "4003830171874018")},
				})
			},
			"find transfer": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.TransferImporter).FindTransfer(ctx, gateway.TransferQuery{ProviderID: testP2P})
			},
		},
		Callback: func() gateway.RawCallback {
			data, _ := json.Marshal(callbackClaims())
			return rawCallback(sealToken([]byte(secret), data))
		}(),
		Callbacks: callbackReadings(),
	}
	gatewaytest.Run(t, subject)

	// A refund looks at its payment before it is asked for.
	probing := subject
	probing.Prelude = func(r *http.Request) bool {
		return opensSession(r) || r.URL.Path == "/api/invoicer/payments/show"
	}
	probing.Operations = map[string]func(context.Context, gw) (res, error){
		"refund": func(ctx context.Context, g gw) (res, error) {
			return g.(gateway.Refunder).Refund(ctx, gateway.RefundRequest{Refund: refund, Payment: led, Reason: "returned"})
		},
	}
	t.Run("refunds", func(t *testing.T) {
		t.Parallel()
		gatewaytest.Run(t, probing)
	})
	gatewaytest.RequireWhole(t, subject, probing)
}

// callbackReadings are callbacks about a decline, and about money that went back: which of it, only a status poll tells.
func callbackReadings() map[string]gatewaytest.CallbackReading {
	with := func(system, invoicer string) gateway.RawCallback {
		claims := callbackClaims()
		claims["paymentStatus"], claims["status"] = system, invoicer
		data, _ := json.Marshal(claims)
		return rawCallback(sealToken([]byte(canarySecret), data))
	}
	return map[string]gatewaytest.CallbackReading{
		"declined": {Callback: with("REJECTED", "CANCELED"), Kind: gateway.KindPayment, Status: gateway.StatusFailed, Class: gateway.RetryUnknown},
		"reversed": {Callback: with("REVERSED", "REVERSED"), Asked: true},
		"returned": {Callback: with("RETURNED", "REVERSED"), Asked: true},
	}
}

// The same of an account whose direct payments go by the newer engine.
func TestConformanceOfC2A(t *testing.T) {
	t.Parallel()
	type (
		gw  = gateway.Gateway
		res = gateway.Result
	)
	paid := c2aPayment()
	refund := gateway.Ref{Kind: gateway.KindRefund, Operation: gateway.OpSale, OrderID: "rf-900", Amount: paid.Amount, Parent: &paid}
	waiting := c2aPayment()
	waiting.State[stateLeft] = "3"
	gatewaytest.Run(t, gatewaytest.Subject{
		Provider: Name,
		Open: func(t testing.TB, client *transport.Client, url string) gateway.Gateway {
			a := account(url)
			a.Secrets, a.Settings[settingDirect] = map[string]gateway.Secret{"secret": canarySecret}, directC2A
			g, err := New(client).Open(a)
			require.NoError(t, err)
			g.(*Gateway).pause = 0
			return g
		},
		Secrets: []string{canarySecret, "canary-code-74"},
		Prelude: opensSession, Initiated: []string{"create direct", "refund"},
		Session: &gatewaytest.Session{Opens: opensSession, Lost: lostSession},
		Codes:   codesOf(waiting, "payments/p2p/confirm", "p2p/payments/show"),
		Echo:    echo,
		Answer: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			data := ""
			switch strings.TrimPrefix(r.URL.Path, "/api/") {
			case "sessions/create":
				data = `{"id":"` + testSession + `"}`
			case "invoicer/invoices/create":
				data = invoiceMade
			case "p2p/payments/show":
				data = splitOf("WAITING_COMPLETE", splitOp("SEND", "FINISHED", "tr-900"), splitOp("RETURN", "NEEDS_COMPLETE", "rf-900"))
			case "payments/p2p/confirm":
				_, _ = io.WriteString(w, `{"status":1}`)
				return
			default:
				data = `{"paymentId":"` + testP2P + `","externalId":"tr-900","reverseExternalId":"rf-900"}`
			}
			_, _ = io.WriteString(w, sealedAnswer(data))
		}),
		Hosted: func() gateway.PaymentRequest {
			req := hosted()
			req.Customer.LastName, req.Customer.Email = "Canarylastname", "canary@example.com"
			return req
		},
		Direct: func() gateway.PaymentRequest {
			req := c2aRequest()
			req.Customer.LastName, req.Customer.Email = "Canarylastname", "canary@example.com"
			req.Method = gateway.PaymentMethod{Card: mustCard(t, "4003830171874018")}
			req.Method.Card.CVC = mustCVC("9173")
			return req
		},
		Operations: map[string]func(context.Context, gw) (res, error){
			"fetch":        func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, paid) },
			"fetch refund": func(ctx context.Context, g gw) (res, error) { return g.Fetch(ctx, refund) },
			"cancel":       func(ctx context.Context, g gw) (res, error) { return g.(gateway.Canceler).Cancel(ctx, paid) },
			"refund": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.Refunder).Refund(ctx, gateway.RefundRequest{Refund: refund, Payment: paid})
			},
			"confirm": func(ctx context.Context, g gw) (res, error) {
				return g.(gateway.CodeConfirmer).ConfirmCode(ctx, waiting, "123456")
			},
		},
		Callback: func() gateway.RawCallback {
			data, _ := json.Marshal(callbackClaims())
			return rawCallback(sealToken([]byte(canarySecret), data))
		}(),
	})
}

func opensSession(r *http.Request) bool { return r.URL.Path == "/api/sessions/create" }

func lostSession(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"status":0,"error":{"code":"SESSION_NOT_FOUND"}}`)
}

func sealedAnswer(data string) string {
	return `{"status":1,"data":{"token":"` + sealToken([]byte(canarySecret), []byte(data)) + `"}}`
}

// echo is an error that repeats text wherever it can.
func echo(text string) string {
	quoted, _ := json.Marshal(text)
	return fmt.Sprintf(`{"status":0,"error":{"code":%[1]s,"message":%[1]s,"fields":{"params":{"sessionId":%[1]s,"x":%[1]s},"data":{%[1]s:%[1]s}}}}`, quoted)
}

// codesOf is a dialogue about ref's code: three attempts, and an answer of error to a wrong one.
func codesOf(ref gateway.Ref, confirmed, read string) *gatewaytest.Codes {
	return &gatewaytest.Codes{Ref: ref, Left: 3, Right: "123456", Provider: func() http.Handler {
		var mu sync.Mutex
		left, taken := 3, false
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			path := strings.TrimPrefix(r.URL.Path, "/api/")
			body, _ := io.ReadAll(r.Body)
			word, rest := "NEEDS_CONFIRMATION", fmt.Sprintf(`,"confirmation":{"type":"LOOKUP","confirmationsLeft":%d}`, left)
			if taken {
				word, rest = "FINISHED", ""
			}
			switch {
			case path == confirmed && strings.Contains(string(body), `"code":"123456"`):
				taken = true
				_, _ = io.WriteString(w, `{"status":1}`)
			case path == confirmed:
				left--
				_, _ = io.WriteString(w, `{"status":0,"error":{"code":"WRONG_CODE"}}`)
			case path == read && path == "p2p/payments/show":
				_, _ = io.WriteString(w, sealedAnswer(splitOf("OPEN", splitOp("SEND", word, "tr-900"))))
				if taken {
					return
				}
			default:
				id := ref.State[statePayment].Reveal()
				_, _ = io.WriteString(w, sealedAnswer(fmt.Sprintf(`{"id":%q,"status":%q,"paymentStatus":"NEW","amount":%d%s}`, id, word, ref.Amount.Minor(), rest)))
			}
		})
	}}
}

// readings are orders of several operations, with a commission beside the amount (uapay.md 9.2, 15.2).
func readings() map[string]gatewaytest.Reading {
	transfer := gateway.Ref{Kind: gateway.KindTransfer, Operation: gateway.OpSale, OrderID: "tr-900", Amount: uah(10000), State: saved(statePayment, testP2P, stateEngine, engineSplit)}
	out := map[string]gatewaytest.Reading{}
	add := func(name string, status gateway.Status, back int64, word string, operations ...string) {
		out[name] = gatewaytest.Reading{
			Ref: transfer, Status: status, Refunded: back, Commission: 300,
			Provider: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, sealedAnswer(splitOf(word, operations...)))
			}),
		}
	}
	send, receive, back := func(s string) string { return splitOp("SEND", s, "tr-900") }, func(s string) string { return splitOp("RECEIVE", s, "") }, func(s string) string { return splitOp("RETURN", s, "rf-1") }
	add("sent and received", gateway.StatusSucceeded, 0, "FINISHED", send("FINISHED"), receive("FINISHED"))
	add("sent, not received", gateway.StatusProcessing, 0, "OPEN", send("FINISHED"), receive("OPEN"))
	add("given up", gateway.StatusCanceled, 0, "OPEN", send("CANCELED"))
	add("refused", gateway.StatusFailed, 0, "REJECTED", send("REJECTED"))
	add("gone back", gateway.StatusSucceeded, 10000, "FINISHED", send("FINISHED"), back("FINISHED"))
	add("not gone back after all", gateway.StatusSucceeded, 0, "FINISHED", send("FINISHED"), receive("FINISHED"), back("CANCELED"))
	invoice := known(gateway.OpSale)
	shown := func(system, invoicer string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, sealedAnswer(shownInvoice("", testPayment+" 1 "+system+"/"+invoicer)))
		})
	}
	out["a payment that is declined"] = gatewaytest.Reading{Ref: invoice, Status: gateway.StatusFailed, Class: gateway.RetryUnknown, Provider: shown("REJECTED", "CANCELED")}
	out["a payment that went back"] = gatewaytest.Reading{Ref: invoice, Status: gateway.StatusSucceeded, Refunded: 25000, Provider: shown("REVERSED", "REVERSED")}
	out["an invoice with a commission"] = gatewaytest.Reading{
		Ref: invoice, Status: gateway.StatusSucceeded, Commission: 600,
		Provider: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, sealedAnswer(`{"id":"`+testInvoice+`","amount":25000,"invoiceStatus":"ACTIVE","payments":[{"paymentId":"`+testPayment+
				`","amount":25000,"commission":600,"status":"FINISHED","paymentStatus":"FINISHED"}]}`))
		}),
	}
	return out
}
