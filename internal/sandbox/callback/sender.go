package callback

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
	"payrelay/internal/sandbox/schedule"
)

// Config is what a Sender needs; every field is required.
type Config struct {
	// Provider is the simulator's name in the log, UserAgent and ContentType are headers of every request.
	Provider, UserAgent, ContentType string
	// Guard is the simulator's mutex. It guards every Delivery and Outbox.
	Guard sync.Locker
	// Timeout is asked for with Guard held, for every attempt anew.
	Timeout func() DefaultTimeout
	Queue   *schedule.Queue
	Now     func() time.Time
	Log     zerolog.Logger
}

// DefaultTimeout is how long one attempt may take, and the pause before each redelivery.
type DefaultTimeout struct {
	Timeout time.Duration
	Pauses  []time.Duration
}

// Sender delivers callbacks. It is safe for concurrent use.
type Sender struct {
	Config
	client *http.Client
}

// New returns a sender.
func New(c Config) *Sender {
	return &Sender{Config: c, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes connections that are kept for later. Deliveries under way are not touched.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Outbox is the state of an order's callbacks between two of them. The zero value is ready.
type Outbox struct {
	held func(delay time.Duration)
}

const (
	// heldFor is how long a callback is held back for the next one when the fault does not say.
	heldFor = 2 * time.Second
	// heldGap is how long after that next one it is sent.
	heldGap = 250 * time.Millisecond
)

// Dispatch lets the callback faults of plan decide when a callback is sent, and how often: send queues one copy of it.
// That callbacks are off or forged is for the caller to look at. Guard is held, and is held when send is called, which
// may be later.
func (s *Sender) Dispatch(o *Outbox, plan fault.Plan, send func(delay time.Duration)) {
	if f, ok := plan.Find(fault.CallbackReordered); ok && o.held == nil {
		o.held = send
		wait := milliseconds(f.DelayMS)
		if wait == 0 {
			wait = heldFor
		}
		s.Queue.After(wait, func(context.Context) {
			s.Guard.Lock()
			defer s.Guard.Unlock()
			o.release(0)
		})
		return
	}
	var delay time.Duration
	if f, ok := plan.Find(fault.CallbackLate); ok {
		delay = milliseconds(f.DelayMS)
	}
	times := 1
	if f, ok := plan.Find(fault.CallbackDuplicate); ok {
		if times = f.Times; times == 0 {
			times = 2
		}
	}
	for range times {
		send(delay)
	}
	o.release(delay + heldGap)
}

func (o *Outbox) release(delay time.Duration) {
	if send := o.held; send != nil {
		o.held = nil
		send(delay)
	}
}

// Send queues a delivery. Guard is held.
func (s *Sender) Send(d *Delivery, delay time.Duration) {
	d.QueuedAt = s.Now().UTC()
	s.Queue.After(delay, func(ctx context.Context) { s.Deliver(ctx, d) })
}

// Deliver makes the first attempt at once, unless it was made, begun or suppressed before, and returns when it has
// ended. Guard is not held.
func (s *Sender) Deliver(ctx context.Context, d *Delivery) {
	s.Guard.Lock()
	skip := d.claimed || d.Suppressed != ""
	d.claimed = true
	s.Guard.Unlock()
	if !skip {
		s.attempt(ctx, d)
	}
}

// attempt sends once and plans a redelivery unless the receiver answered 200.
func (s *Sender) attempt(ctx context.Context, d *Delivery) {
	s.Guard.Lock()
	timeout := s.Timeout().Timeout
	s.Guard.Unlock()

	a := Attempt{At: s.Now().UTC()}
	start := time.Now()
	a.Status, a.Body, a.Error = s.post(ctx, timeout, d.url, d.body) // both never change
	a.TookMS = time.Since(start).Milliseconds()

	s.Guard.Lock()
	d.Attempts = append(d.Attempts, a)
	n, pauses := len(d.Attempts), s.Timeout().Pauses
	s.Guard.Unlock()
	s.Log.Info().Str("provider", s.Provider).Int("attempt", n).Int("status", a.Status).
		Int64("took_ms", a.TookMS).Msg("callback sent")
	if a.Status == http.StatusOK || n > len(pauses) || ctx.Err() != nil {
		return
	}
	s.Queue.After(pauses[n-1], func(ctx context.Context) { s.attempt(ctx, d) })
}

func (s *Sender) post(ctx context.Context, timeout time.Duration, to, body string) (int, string, string) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return 0, "", "callback address is not usable"
	}
	req.Header.Set("Content-Type", s.ContentType)
	req.Header.Set("User-Agent", s.UserAgent)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", record.Text(err.Error())
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // the status is what counts
	return resp.StatusCode, record.Text(string(text)), ""
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }
