package scenario

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"payrelay/internal/plural"
)

// compare holds the three records of an order against each other: what the API shows, what the shop was notified of, and what the
// simulator wrote down.
func (r *run) compare(id string) {
	o := r.settled(id)
	r.compareNotifications(o)
	if o.ProviderOrderID != "" && slices.Contains([]string{"payment", "payout", "transfer"}, o.Kind) {
		r.compareProvider(o)
	}
}

// settled waits until the order moves no more by itself.
func (r *run) settled(id string) (o order) {
	r.until("the end of order "+id, func() (bool, string) {
		o = r.order(id)
		return !slices.Contains([]string{"created", "unknown", "processing"}, o.Status), fmt.Sprintf("%s %s is %s", o.Kind, o.Reference, o.Status)
	})
	return o
}

// compareNotifications wants one for every step after the first, without a gap, the last with the order's present status.
func (r *run) compareNotifications(o order) {
	r.until("a notification of "+o.Kind+" "+o.Reference, func() (bool, string) {
		o = r.order(o.ID)
		got, invalid := r.w.Shop.about(o.ID)
		if invalid > 0 {
			r.fail("%s a signature that does not hold", plural.Of(invalid, "notification has", "notifications have"))
		}
		for sequence := 2; sequence <= o.Sequence; sequence++ {
			if _, came := got[sequence]; !came {
				return false, fmt.Sprintf("number %d of %d is missing", sequence, o.Sequence)
			}
		}
		return len(got) == o.Sequence-1, fmt.Sprintf("%d came, the order has %s", len(got), plural.Of(o.Sequence, "step", "steps"))
	})
	got, _ := r.w.Shop.about(o.ID)
	if last, any := got[o.Sequence]; any {
		equal(r, "the status in the last notification of "+o.Reference, last.Order.Status, o.Status)
	}
}

// compareProvider wants the same money at the provider as in the order, and one call that asked for it.
func (r *run) compareProvider(o order) {
	var theirs known
	r.until("the same money at the provider", func() (bool, string) {
		o, theirs = r.order(o.ID), r.recorded(o)
		took, back := o.AmountCaptured, o.AmountRefunded+o.AmountDisputed
		if o.Kind != "payment" && o.Status == "succeeded" {
			took = o.Amount
		}
		if late := o.SupersededBy; late != "" { // the money of an order that failed is in the order that came late
			took = r.order(late).Amount
		}
		return took == theirs.took && back == theirs.back,
			fmt.Sprintf("%s %s: the API says %d taken and %d given back, the provider %d and %d", o.Kind, o.Reference, took, back, theirs.took, theirs.back)
	})
	if o.Origin == "request" {
		equal(r, "the number of calls that asked the provider for "+o.Reference, theirs.asked, 1)
	}
}

// known is what the simulator knows of an order.
type known struct {
	took, back int64
	asked      int // calls that would make the order
}

func (r *run) recorded(o order) (t known) {
	p := providerOf(o)
	var requests struct {
		Requests []struct {
			Endpoint string `json:"endpoint"`
		} `json:"requests"`
	}
	r.control(http.MethodGet, p, "/requests?limit=1000&order_id="+url.QueryEscape(o.ProviderOrderID), nil, &requests)
	for _, q := range requests.Requests {
		if slices.Contains(makers, q.Endpoint) {
			t.asked++
		}
	}
	if p == smartcore {
		t.took, t.back = r.smartcoreMoney(o.ProviderOrderID)
	} else {
		t.took, t.back = r.uapayMoney(o.ProviderOrderID)
	}
	return t
}

// makers are the endpoints of both providers that make an order.
var makers = []string{
	"initPayment", "initPaymentHost2Host", "authorize", "withdrawal/init", "recurrent",
	"invoicer/invoices/create", "payments/p2p/direct/create", "p2p/payments/c2a/initiate", "p2p/payments/a2c/initiate",
}

func (r *run) smartcoreMoney(id string) (took, back int64) {
	type one struct {
		Status int    `json:"status"`
		Stage  string `json:"stage"`
		Final  int64  `json:"final_amount"`
	}
	var o struct {
		one
		Refunds []one `json:"refunds"`
	}
	if !r.knows(smartcore, id, &o) {
		return 0, 0
	}
	moved := func(o one) int64 {
		if o.Status == 2 && o.Stage == "done" {
			return o.Final
		}
		return 0
	}
	for _, refund := range o.Refunds {
		back += moved(refund)
	}
	return moved(o.one), back
}

func (r *run) uapayMoney(id string) (took, back int64) {
	var o struct {
		Payments []struct {
			System   string `json:"system_status"`
			Amount   int64  `json:"amount"`
			Held     int64  `json:"held"`
			Refunded int64  `json:"refunded"`
		} `json:"payments"`
	}
	if !r.knows(uapay, id, &o) {
		return 0, 0
	}
	for _, p := range o.Payments {
		switch {
		case p.System != "FINISHED" && p.System != "REVERSED":
		case p.Held > 0:
			took += p.Held
		default:
			took += p.Amount
		}
		back += p.Refunded
	}
	return took, back
}
