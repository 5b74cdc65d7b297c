package benchmark

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// job is what the load is asked to do. A life is a payment that is created and, some payments later, reported as paid.
type job struct {
	API       string        `json:"api"` // host and port
	Key       string        `json:"key"`
	Callbacks string        `json:"callbacks"` // the path of the account's callbacks
	Prefix    string        `json:"prefix"`    // of references
	Clients   int           `json:"clients"`
	Rate      float64       `json:"rate"`   // begun per second; 0: each client begins when it has ended the one before
	Length    time.Duration `json:"length"` // of lives and payments; 0: until the input ends, or the count is reached
	Count     int           `json:"count"`  // of payments, instead of a length
	Ahead     int           `json:"ahead"`  // payments between a creation and its callback
	What      string        `json:"what"`   // lives, payments, callbacks
	Orders    []order       `json:"orders"` // whose callbacks are sent
}

// order is a payment that was created, and when its callback was sent, in nanoseconds since 1970.
type order struct {
	Reference  string `json:"reference"`
	ProviderID string `json:"provider_id"`
	Sent       int64  `json:"sent"`
}

// loadResult is what the load prints.
type loadResult struct {
	Orders []order         `json:"orders"`
	Took   []time.Duration `json:"took"` // by creations
	Failed int             `json:"failed"`
	Error  string          `json:"error"` // the first failure
	Began  int64           `json:"began"`
}

const customer = `"customer":{"first_name":"John","last_name":"Doe","email":"john.doe@example.com","phone":"+442079460612","ip":"127.0.0.1",` +
	`"address":{"line":"10 Downing Street","city":"London","postal_code":"SW1A 2AA","country":"GB"}}`

// loader runs a job.
type loader struct {
	job
	next   atomic.Int64
	ended  atomic.Bool // the input
	made   chan order
	mu     sync.Mutex
	result loadResult
}

// runLoad reads a job from in and prints what became of it.
func runLoad(in io.Reader, out io.Writer) error {
	l := &loader{}
	if err := json.NewDecoder(in).Decode(&l.job); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		l.ended.Store(true)
	}()
	l.made = make(chan order, 1<<20)
	l.result.Began = time.Now().UnixNano()
	fmt.Fprintln(out, "begun")
	if l.Rate > 0 {
		l.steady()
	} else {
		l.busy()
	}
	if err := json.NewEncoder(out).Encode(l.result); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// busy keeps every client busy.
func (l *loader) busy() {
	begin := time.Now()
	var wg sync.WaitGroup
	for range l.Clients {
		wg.Go(func() {
			c, err := dial(context.Background(), l.API)
			if err != nil {
				l.fail(err)
				return
			}
			for l.goesOn(begin) && l.step(c) {
			}
			l.rest(c)
		})
	}
	wg.Wait()
}

// steady begins at a rate, whatever becomes of the earlier ones.
func (l *loader) steady() {
	begin := time.Now()
	idle := make(chan *connection, 1<<10)
	var wg sync.WaitGroup
	for n := 0; ; n++ {
		at := time.Duration(float64(n) / l.Rate * float64(time.Second))
		if l.Length > 0 && at >= l.Length || l.What == "callbacks" && n >= len(l.Orders) {
			break
		}
		time.Sleep(at - time.Since(begin))
		wg.Go(func() {
			var c *connection
			select {
			case c = <-idle:
			default:
				var err error
				if c, err = dial(context.Background(), l.API); err != nil {
					l.fail(err)
					return
				}
			}
			l.step(c)
			idle <- c
		})
	}
	wg.Wait()
	if c, err := dial(context.Background(), l.API); err == nil {
		l.rest(c)
	}
}

func (l *loader) goesOn(begin time.Time) bool {
	if l.What == "callbacks" || l.Count > 0 {
		return true
	}
	return l.Length > 0 && time.Since(begin) < l.Length || l.Length == 0 && !l.ended.Load()
}

// step does one of what the job asks for, and reports whether there may be another.
func (l *loader) step(c *connection) bool {
	n := int(l.next.Add(1)) - 1
	if l.What == "callbacks" {
		if n >= len(l.Orders) {
			return false
		}
		l.callback(c, l.Orders[n])
		return true
	}
	if l.Count > 0 && n >= l.Count {
		return false
	}
	l.create(c, n)
	if l.What == "lives" && len(l.made) > l.Ahead {
		select {
		case o := <-l.made:
			l.callback(c, o)
		default: // another client was quicker
		}
	}
	return true
}

// rest sends the callbacks of lives that are still open.
func (l *loader) rest(c *connection) {
	for l.What == "lives" {
		select {
		case o := <-l.made:
			l.callback(c, o)
		default:
			return
		}
	}
}

func (l *loader) create(c *connection, n int) {
	reference := l.Prefix + "-" + strconv.Itoa(n)
	head := "POST /v1/payments HTTP/1.1\r\nHost: benchmark\r\nAuthorization: Bearer " + l.Key + "\r\nIdempotency-Key: " + reference + "\r\nContent-Type: application/json\r\n"
	begin := time.Now()
	status, answer, err := c.post([]byte(head), []byte(`{"reference":"`+reference+`","amount":1000,"currency":"EUR",`+customer+`}`))
	took := time.Since(begin)
	if err == nil && status != 201 {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	if err != nil {
		l.fail(fmt.Errorf("create a payment: %w", err))
		return
	}
	o := order{Reference: reference, ProviderID: value(answer, "provider_order_id")}
	l.mu.Lock()
	l.result.Took = append(l.result.Took, took)
	if l.What == "payments" {
		l.result.Orders = append(l.result.Orders, o)
	}
	l.mu.Unlock()
	if l.What == "lives" {
		l.made <- o
	}
}

func (l *loader) callback(c *connection, o order) {
	head := "POST " + l.Callbacks + " HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	body := signedCallback(o.ProviderID)
	o.Sent = time.Now().UnixNano()
	status, answer, err := c.post([]byte(head), body)
	if err == nil && status != 200 {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	if err != nil {
		l.fail(fmt.Errorf("send a callback: %w", err))
		return
	}
	l.mu.Lock()
	l.result.Orders = append(l.result.Orders, o)
	l.mu.Unlock()
}

func (l *loader) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.result.Failed++; l.result.Error == "" {
		l.result.Error = err.Error()
	}
}
