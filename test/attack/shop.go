package attack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Load is what a shop, and whoever watches the service, met during an attack.
type Load struct {
	Requests, Lost int
	// First is what the first lost request met.
	First string
	P99   time.Duration
	// Admin is the slowest answer of the admin listener, AdminLost how many did not come.
	Admin     time.Duration
	AdminLost int
}

// shopWorkers is how many requests a shop sends at once. The last opens a connection for each.
const shopWorkers = 8

// target is where a shop's requests go, and the admin listener beside it.
type target struct {
	api, admin, key string
}

type shop struct {
	target target
	number atomic.Int64

	mu    sync.Mutex
	load  Load
	times []time.Duration
}

// pay sends a shop's requests until ctx is done, and asks the admin listener beside it.
func pay(ctx context.Context, t target) Load {
	s := &shop{target: t}
	var work sync.WaitGroup
	for i := range shopWorkers {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableKeepAlives: i == shopWorkers-1}, Timeout: 40 * time.Second}
		work.Go(func() {
			for ; ctx.Err() == nil; wait(ctx, 20*time.Millisecond) {
				s.one(client)
			}
		})
	}
	if t.admin != "" {
		work.Go(func() { s.watch(ctx) })
	}
	work.Wait()
	slices.Sort(s.times)
	if n := len(s.times); n > 0 {
		s.load.P99 = s.times[min(n-1, n*99/100)]
	}
	return s.load
}

// one sends one request to its end.
func (s *shop) one(client *http.Client) {
	began := time.Now()
	problem := ask(client, s.request())
	took := time.Since(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load.Requests++
	s.times = append(s.times, took)
	if problem != "" {
		s.load.Lost++
		if s.load.First == "" {
			s.load.First = problem
		}
	}
}

func (s *shop) request() *http.Request {
	body := fmt.Sprintf(`{"reference":"attack-%d-%d","amount":1000,"currency":"EUR","customer":{"first_name":"John","last_name":"Doe","email":"john@example.com",
		"phone":"+442079460612","ip":"127.0.0.1","address":{"line":"10 Downing Street","city":"London","postal_code":"SW1A 2AA","country":"GB"}}}`, time.Now().UnixNano(), s.number.Add(1))
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+s.target.api+"/v1/payments", strings.NewReader(body)) //nolint:noctx // ended by the client's timeout
	if err != nil {
		panic(err) // a programmer's mistake
	}
	req.Header.Set("Authorization", "Bearer "+s.target.key)
	req.Header.Set("Content-Type", "application/json")
	return req
}

// ask sends a request, and says what was wrong with its answer.
func ask(client *http.Client, req *http.Request) string {
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err.Error()
	case res.StatusCode >= http.StatusBadRequest:
		return res.Status + ": " + string(text)
	}
	return ""
}

// watch asks the admin listener over a new connection each time, as an orchestrator does.
func (s *shop) watch(ctx context.Context) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for ; ctx.Err() == nil; wait(ctx, 50*time.Millisecond) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+s.target.admin+"/healthz", nil)
		if err != nil {
			panic(err) // a programmer's mistake
		}
		began := time.Now()
		problem := ask(client, req)
		took := time.Since(began)
		s.mu.Lock()
		if problem != "" {
			s.load.AdminLost++
		}
		s.load.Admin = max(s.load.Admin, took)
		s.mu.Unlock()
	}
}
