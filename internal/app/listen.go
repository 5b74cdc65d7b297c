package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"payrelay/internal/gateway"
	"payrelay/internal/notify"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

type listenCmd struct {
	shopFlags

	Forward string    `placeholder:"URL" help:"Your endpoint, such as http://localhost:3000/hook. Without it notifications are only printed."`
	Secret  string    `placeholder:"whsec_…" help:"What to sign with, if not with a fresh secret."`
	Since   sinceTime `placeholder:"TIME" help:"Begin earlier than now: a time such as 2026-11-29T07:00:00Z, or how long ago, such as 2h."`
}

// sinceTime is a time, or how long ago it was.
type sinceTime struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *sinceTime) UnmarshalText(text []byte) error {
	if ago, err := time.ParseDuration(string(text)); err == nil && ago >= 0 {
		s.Time = time.Now().Add(-ago)
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return errors.New("write a time such as 2026-11-29T07:00:00Z, or how long ago it was, such as 2h")
	}
	s.Time = at
	return nil
}

// Help says what the command is for.
func (listenCmd) Help() string {
	return "It reads the shop's event feed, so the service need not reach your endpoint. Each notification is signed as the service signs, with the secret that is printed at the start, and sent until your endpoint takes it. It needs no database, and a key with the scope read."
}

// anywhere is where a developer's own endpoint may be.
var anywhere = []string{"0.0.0.0/0:*", "[::]/0:*"}

// Run implements the command.
func (c listenCmd) Run(ctx context.Context, io *Streams) error {
	client, err := c.client(io)
	if err != nil {
		return err
	}
	f := &forwarder{out: io.Out, url: c.Forward, notifier: notify.New(notify.Config{})}
	defer f.notifier.Close()
	if c.Forward != "" {
		if f.secret, err = c.signingSecret(); err != nil {
			return err
		}
	}
	feed, err := c.feed(ctx, client)
	if err != nil {
		return untilCanceled(err)
	}
	if c.Forward == "" {
		_, _ = fmt.Fprintf(io.Out, "Listening at %s. --forward URL sends the notifications to your endpoint. Stop with Ctrl-C.\n", client.url)
	} else {
		_, _ = fmt.Fprintf(io.Out, "Listening at %s, forwarding to %s. Stop with Ctrl-C.\nThe secret to verify with: %s\n", client.url, c.Forward, f.secret.Reveal())
	}
	return untilCanceled(f.follow(ctx, feed, io.Err))
}

// signingSecret checks what the command was told, or makes a fresh secret.
func (c listenCmd) signingSecret() (gateway.Secret, error) {
	if err := notify.CheckTarget(c.Forward, anywhere); err != nil {
		return "", fmt.Errorf("--forward: %w", err)
	}
	secret := cmp.Or(c.Secret, shop.NewWebhookSecret())
	if _, err := standardwebhooks.NewWebhook(secret); err != nil || len(secret) <= len("whsec_") {
		return "", errors.New("--secret is no webhook secret: write whsec_ and base64, or leave it out for a fresh one")
	}
	return gateway.Secret(secret), nil
}

func (c listenCmd) feed(ctx context.Context, client *shopClient) (*feed, error) {
	if c.Since.IsZero() {
		return client.feedFromNow(ctx)
	}
	return client.feedFrom(c.Since.Time), nil
}

// untilCanceled takes an end that was asked for as none.
func untilCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

const (
	// feedEvery is how often the feed is read.
	feedEvery = time.Second
	// forwardsAtOnce is how many forwards may wait before no more of the feed is read.
	forwardsAtOnce = 1000
)

// forwardPauses are the waits after the first, second, … failed forward. After them a notification is given up.
var forwardPauses = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// forwarder prints notifications and passes them on: those of one order one after the other, as the service does.
type forwarder struct {
	out      io.Writer
	url      string // empty: they are only printed
	secret   gateway.Secret
	notifier *notify.Notifier
	waiting  []*forward // in the order of the feed
}

// forward is a notification on its way.
type forward struct {
	notification
	attempts int
	due      time.Time
}

// follow reads the feed until ctx is done, and goes on when the service was away.
func (f *forwarder) follow(ctx context.Context, feed *feed, complaints io.Writer) error {
	away := false
	for {
		wait := feedEvery
		if len(f.waiting) < forwardsAtOnce {
			list, more, err := feed.next(ctx)
			if err != nil && (!passes(err) || ctx.Err() != nil) {
				return cmp.Or(ctx.Err(), err)
			}
			if err != nil && !away {
				_, _ = fmt.Fprintf(complaints, "%v. Trying again every few seconds.\n", err)
			}
			if err == nil && away {
				_, _ = fmt.Fprintln(complaints, "The service answers again.")
			}
			if away = err != nil; away {
				wait = 3 * time.Second
				if e, ok := errors.AsType[*shopError](err); ok {
					wait = max(wait, e.later)
				}
			}
			for _, n := range list {
				f.take(n)
			}
			if more {
				wait = 0
			}
		}
		f.forwardDue(ctx)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// sleep waits, or returns why not.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// take prints a notification, or lets it wait for its forward, which prints it.
func (f *forwarder) take(n notification) {
	if f.url == "" {
		f.say(n, "")
		return
	}
	f.waiting = append(f.waiting, &forward{notification: n})
}

// say prints a line about a notification.
func (f *forwarder) say(n notification, result string) {
	_, _ = fmt.Fprintf(f.out, "%s  %-24s order %s %s %d %s%s\n",
		n.CreatedAt.Local().Format(time.DateTime), n.Type, n.Order.ID, strconv.Quote(n.Order.Reference), n.Order.Amount, n.Order.Currency, result)
}

// forwardDue sends what is due and is the first of its order.
func (f *forwarder) forwardDue(ctx context.Context) {
	blocked := map[string]bool{} // orders
	f.waiting = slices.DeleteFunc(f.waiting, func(w *forward) bool {
		if blocked[w.Order.ID] || ctx.Err() != nil {
			return false
		}
		done := !time.Now().Before(w.due) && f.forward(ctx, w)
		blocked[w.Order.ID] = !done
		return done
	})
}

// forward makes one attempt and says what came of it. It reports whether nothing is left to do.
func (f *forwarder) forward(ctx context.Context, w *forward) (done bool) {
	id, err := uuid.Parse(w.ID)
	if err != nil {
		f.say(w.notification, " -> not forwarded: its id is no UUID")
		return true
	}
	a := f.notifier.Try(ctx, &payment.Delivery{
		ID: id, URL: f.url, Payload: w.payload, Secrets: []gateway.Secret{f.secret}, AllowCIDRs: anywhere, CreatedAt: w.CreatedAt, Attempt: w.attempts + 1,
	})
	if ctx.Err() != nil {
		return false
	}
	result := fmt.Sprintf(" -> %s in %d ms", answerOf(a), a.Duration.Milliseconds())
	switch {
	case a.Delivered:
		done = true
	case a.Gone:
		result, done = result+": the service would switch this address off", true
	case w.attempts == len(forwardPauses):
		result, done = result+fmt.Sprintf(": given up after %d attempts", w.attempts+1), true
	default:
		pause := max(forwardPauses[w.attempts], min(time.Until(a.NotBefore), time.Minute)).Round(time.Second)
		w.due = time.Now().Add(pause)
		w.attempts++
		result += fmt.Sprintf(": again in %s", pause)
	}
	f.say(w.notification, result)
	return done
}

// answerOf is what an endpoint answered: its status, or the service's word for having none.
func answerOf(a payment.Attempt) string {
	if a.HTTPStatus != 0 {
		return strconv.Itoa(a.HTTPStatus)
	}
	return "no answer (" + a.Error + ")"
}
