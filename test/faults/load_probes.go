package faults

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"payrelay/internal/sandbox/fault"
)

const (
	// recoverLimit is how long after everything was settled an order of each kind may take to come to its good end through
	// each replica, with as many tries as fit: a breaker that opened last thing lets a call through after 5 s.
	recoverLimit = 20 * time.Second
	// refreshLimit is how soon a refresh must show how a payment ended whose callback was lost. It is shorter than the
	// first pause of the schedule of checks, which would find out too.
	refreshLimit = 8 * time.Second

	// afterwards is in the references of these orders.
	afterwards = "-after"
)

// probes are the orders that are tried through each replica after everything is over.
var probes = []struct {
	what  string
	order Order
}{
	{"hosted payment", Order{Script: "hosted"}},
	{"direct payment and its refund", Order{Script: "direct", Then: "refund"}},
	{"hold and its capture", Order{Script: "hold", Then: "capture"}},
	{"hold and its cancel", Order{Script: "hold", Then: "cancel"}},
	{"recurring payment and its charge", Order{Script: "recurring"}},
	{"payout", Order{Script: "payout"}},
	{"payout card", Order{Script: "payout_card"}},
	{"refreshed payment", Order{Script: "hosted", Then: "refresh"}},
	{"statement", Order{Script: "statement"}}, // whose end is awaited with that of the others
	{"UAPAY hosted payment and its refund", Order{Script: "uapay_hosted", Then: "refund"}},
	{"UAPAY hold and its capture", Order{Script: "uapay_hold", Then: "capture"}},
	{"UAPAY card payment", Order{Script: "uapay_card"}},
	{"UAPAY payout", Order{Script: "uapay_payout"}},
	{"UAPAY transfer", Order{Script: "transfer"}},
	{"UAPAY refreshed payment", Order{Script: "uapay_hosted", Then: "refresh"}},
}

// recovered asks for an order of each kind through each replica, all at the same time, and tells which did not come to
// their good end. What was asked and answered is in the records of the shops that are returned.
func (p *player) recovered(ctx context.Context, prefix string) (list []Probe, shops []*shopper) {
	list = make([]Probe, 0, len(probes)*len(p.shops[0].replicas))
	var mu sync.Mutex
	var all sync.WaitGroup
	for replica, address := range p.shops[0].replicas {
		s := p.shops[replica%len(p.shops)].through(address)
		shops = append(shops, s)
		for i, probe := range probes {
			o := probe.order
			o.Name, o.Minor, o.Outcome = fmt.Sprintf("%s-%d-%d", prefix, replica, i), 2*int64(500+i), "success"
			all.Go(func() {
				trouble := p.probe(ctx, s, o)
				mu.Lock()
				defer mu.Unlock()
				list = append(list, Probe{Replica: replica, What: probe.what, Trouble: trouble})
			})
		}
	}
	all.Wait()
	return list, shops
}

// probe tries an order under new references until one comes to its good end, and returns the last one's trouble if none does.
func (p *player) probe(ctx context.Context, s *shopper, o Order) (trouble string) {
	ctx, cancel := context.WithTimeout(ctx, recoverLimit)
	defer cancel()
	name := o.Name
	for try := 1; ; try++ {
		o.Name = fmt.Sprintf("%s-%d", name, try)
		said := p.attempt(ctx, s, o)
		if said == "" {
			return ""
		}
		if trouble == "" || ctx.Err() == nil { // the last try was broken off, and the one before tells more
			trouble = said
		}
		if !wait(ctx, 500*time.Millisecond) {
			return trouble
		}
	}
}

// attempt is one order from its request to its good end. It returns what went wrong, or "".
func (p *player) attempt(ctx context.Context, s *shopper, o Order) string {
	path, body := p.request(o)
	v, trouble := s.get(ctx, path, o.Name, body)
	if trouble != "" {
		return trouble
	}
	if o.Script == "statement" {
		return ""
	}
	if o.Then == "refresh" {
		return p.refreshed(ctx, s, o, v)
	}
	end := "succeeded"
	if o.Script == "hold" || o.Script == "uapay_hold" {
		end = "authorized"
	}
	if trouble = p.pay(ctx, s, o, v, end); trouble != "" {
		return trouble
	}
	switch {
	case o.Then == "capture" || o.Then == "cancel":
		body, end := "", "canceled"
		if o.Then == "capture" {
			body, end = "{}", "succeeded"
		}
		if !s.command(ctx, "/v1/payments/"+v.ID+"/"+o.Then, body) {
			return "its " + o.Then + " was not taken"
		}
		return s.ends(ctx, v.ID, end)
	case o.Then == "refund":
		r, trouble := s.get(ctx, "/v1/payments/"+v.ID+"/refunds", o.Name+"-r", fmt.Sprintf(`{"reference":%q,"amount":%d,"reason":%q}`, o.Name+"-r", o.Minor, o.Name+"-r"))
		if trouble != "" {
			return "its refund " + trouble
		}
		return s.ends(ctx, r.ID, "succeeded")
	case o.Script == "recurring":
		name := o.Name + "-c"
		c, trouble := s.get(ctx, "/v1/payments/"+v.ID+"/charges", name, fmt.Sprintf(`{"reference":%q,"description":%q,"amount":%d,"period":"monthly"}`, name, name, o.Minor))
		if trouble != "" {
			return "its charge " + trouble
		}
		return p.pay(ctx, s, Order{Script: "hosted"}, c, "succeeded")
	}
	return ""
}

// pay does the customer's part and waits for the end.
func (p *player) pay(ctx context.Context, s *shopper, o Order, v view, end string) string {
	switch o.Script {
	case "hosted", "recurring", "payout_card":
		_ = p.simulators.SmartCore().Complete(v.ProviderOrderID, "success") // one that is finished stays so
	case "uapay_hosted", "uapay_hold":
		if err := p.simulators.UAPAY().Complete(v.ProviderOrderID, "success"); err != nil {
			return "its customer could not pay: " + err.Error()
		}
	}
	return s.ends(ctx, v.ID, end)
}

// refreshed lets a payment's callback be lost, and asks the replica to look.
func (p *player) refreshed(ctx context.Context, s *shopper, o Order, v view) string {
	add, remove := p.simulators.SmartCore().AddFault, p.simulators.SmartCore().RemoveFault
	if o.Script == "uapay_hosted" {
		add, remove = p.simulators.UAPAY().AddFault, p.simulators.UAPAY().RemoveFault
	}
	id, err := add(fault.Fault{Kind: fault.CallbackOff, OrderID: v.ProviderOrderID})
	if err != nil {
		return "its callback could not be held back: " + err.Error()
	}
	defer remove(id)
	if o.Script == "uapay_hosted" {
		err = p.simulators.UAPAY().Complete(v.ProviderOrderID, "success")
	} else {
		err = p.simulators.SmartCore().Complete(v.ProviderOrderID, "success")
	}
	if err != nil {
		return "its customer could not pay: " + err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, refreshLimit)
	defer cancel()
	for {
		status, now, err := s.once(ctx, http.MethodPost, "/v1/orders/"+v.ID+"/refresh", "", "")
		if err == nil && status == http.StatusOK && now.Status == "succeeded" {
			return ""
		}
		if !wait(ctx, 300*time.Millisecond) {
			return "refreshing it did not show that it was paid"
		}
	}
}

// through is the same shop at one replica, with records of its own.
func (s *shopper) through(address string) *shopper {
	return &shopper{name: s.name, key: s.key, replicas: []string{address}, client: s.client, turn: s.turn}
}

// get asks for an order and says why there is none that may still succeed.
func (s *shopper) get(ctx context.Context, path, name, body string) (view, string) {
	v, status, ok := s.insist(ctx, path, name, body)
	switch {
	case !ok:
		return v, "was not answered"
	case status >= 300:
		return v, fmt.Sprintf("was refused with %d %s", status, v.Code)
	case v.Status == "failed" || v.Status == "canceled":
		return v, "was answered as " + v.Status
	}
	return v, ""
}

// ends waits until an order has a status that it can leave no more for the worse.
func (s *shopper) ends(ctx context.Context, id, want string) string {
	v, ok := s.until(ctx, id, want, "succeeded", "failed", "canceled")
	switch {
	case !ok:
		return fmt.Sprintf("%s %s was still %s", v.Kind, id, v.Status)
	case v.Status != want:
		return fmt.Sprintf("%s %s ended %s", v.Kind, id, v.Status)
	}
	return ""
}
