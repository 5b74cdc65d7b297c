//go:build !production

package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"payrelay/internal/routing"
	"payrelay/internal/sandbox/clock"
)

type triggerCmd struct {
	shopFlags

	Event   string        `arg:"" help:"The type of a notification, such as payment.succeeded."`
	Sandbox string        `placeholder:"URL" help:"Where the provider simulators are, if not where the 'server dev' of this folder has them, or else at http://127.0.0.1:8090."`
	Wait    time.Duration `default:"1m" help:"How long the notification may take."`
}

// Help lists every event.
func (triggerCmd) Help() string {
	text := "It makes an order at the running 'server dev', lets the simulators do what the event takes, and waits for the notification in the feed.\n\nEvents:"
	for _, event := range triggerEvents() {
		text += "\n  " + event
		if reason := untriggered[event]; reason != "" {
			text += ": not by this command. " + reason
		}
	}
	return text
}

// Run implements the command.
func (c triggerCmd) Run(ctx context.Context, io *Streams) error {
	if err := checkEvent(c.Event); err != nil {
		return err
	}
	client, err := c.client(io)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	t := &trigger{client: client, sandbox: strings.TrimRight(cmp.Or(c.Sandbox, devHere().Sandbox), "/"), reference: "trigger-" + strings.ToLower(rand.Text()[:12])}
	if t.feed, err = client.feedFromNow(ctx); err != nil {
		return err
	}
	if err := t.findSimulators(ctx); err != nil {
		return err
	}
	err = triggers[c.Event](ctx, t)
	var n notification
	if err == nil {
		n, err = t.await(ctx, c.Event)
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%s did not come within %s: see whether the service is a 'server dev' and uses the simulators at %s. The feed had: %s", c.Event, c.Wait, t.sandbox, cmp.Or(strings.Join(t.typesSeen(), ", "), "nothing"))
		}
		return untilCanceled(err)
	}
	_, _ = fmt.Fprintf(io.Out, "%s  order %s\n", n.Type, n.Order.ID)
	return nil
}

// checkEvent says what is wrong with the name of an event.
func checkEvent(event string) error {
	events := triggerEvents()
	switch {
	case untriggered[event] != "":
		return fmt.Errorf("%s cannot be triggered: %s", event, untriggered[event])
	case !slices.Contains(events, event):
		text := fmt.Sprintf("there is no event %q", event)
		if near := routing.Nearest(event, events); near != "" {
			return fmt.Errorf("%s: did you mean %s?", text, near)
		}
		return errors.New(text + ": 'server trigger --help' lists all")
	}
	return nil
}

// trigger makes one event happen.
type trigger struct {
	client    *shopClient
	sandbox   string
	reference string // every order of it begins so
	feed      *feed
	seen      []notification // of its orders
}

// made is what the shop reads of an order.
type made struct {
	ID              string `json:"id"`
	Provider        string `json:"provider"`
	ProviderOrderID string `json:"provider_order_id"`
	NextAction      *struct {
		URL string `json:"url"`
	} `json:"next_action"`
}

// create makes an order.
func (t *trigger) create(ctx context.Context, path string, body map[string]any) (o made, err error) {
	body["reference"] = t.reference
	if strings.HasSuffix(path, "/refunds") {
		body["reference"] = t.reference + "-refund"
	}
	return o, t.client.call(ctx, http.MethodPost, path, body, &o)
}

// await reads the feed until one of the trigger's orders has an event.
func (t *trigger) await(ctx context.Context, event string) (notification, error) {
	for {
		if i := slices.IndexFunc(t.seen, func(n notification) bool { return n.Type == event }); i >= 0 {
			return t.seen[i], nil
		}
		list, more, err := t.feed.next(ctx)
		if err != nil {
			return notification{}, err
		}
		for _, n := range list {
			if strings.HasPrefix(n.Order.Reference, t.reference) {
				t.seen = append(t.seen, n)
			}
		}
		if !more && len(list) == 0 {
			if err := sleep(ctx, feedEvery/4); err != nil {
				return notification{}, err
			}
		}
	}
}

func (t *trigger) typesSeen() (list []string) {
	for _, n := range t.seen {
		list = append(list, n.Type)
	}
	return list
}

// control tells a provider's simulator to do something.
func (t *trigger) control(ctx context.Context, provider, path string, body map[string]any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	return t.simulator(ctx, "/"+provider+"/control"+path, "application/json", text)
}

// findSimulators says what is wrong with --sandbox before an order is made. Only simulators have a clock.
func (t *trigger) findSimulators(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.sandbox+"/clock", nil)
	if err != nil {
		return fmt.Errorf("--sandbox is no address: %w", err)
	}
	res, err := t.client.http.Do(req)
	if err != nil {
		return t.noAnswer()
	}
	defer func() { _ = res.Body.Close() }()
	var view clock.View
	if err := json.NewDecoder(io.LimitReader(res.Body, 4<<10)).Decode(&view); err != nil || view.Now.IsZero() {
		return fmt.Errorf("what answers at %s is not the simulators: name them with --sandbox", t.sandbox)
	}
	return nil
}

func (t *trigger) noAnswer() error {
	return fmt.Errorf("the simulators do not answer at %s: name them with --sandbox", t.sandbox)
}

func (t *trigger) simulator(ctx context.Context, path, contentType string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.sandbox+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("--sandbox is no address: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := t.client.http.Do(req)
	if err != nil {
		return t.noAnswer()
	}
	defer func() { _ = res.Body.Close() }()
	if answer, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10)); res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the simulator of %s says: %s", path, strings.TrimSpace(string(answer)))
	}
	return nil
}

// complete does what the customer does on the provider's page.
func (t *trigger) complete(ctx context.Context, o made, outcome string) error {
	return t.control(ctx, o.Provider, "/orders/"+o.ProviderOrderID+"/complete", map[string]any{"outcome": outcome})
}

// later lets something happen to an order that nobody asked for.
func (t *trigger) later(ctx context.Context, o made, what string) error {
	return t.control(ctx, o.Provider, "/orders/"+o.ProviderOrderID+"/later", map[string]any{"what": what})
}

// loseAnswer lets the next answer of SmartCore's endpoint be lost.
func (t *trigger) loseAnswer(ctx context.Context, endpoint string) error {
	return t.control(ctx, "smartcore", "/faults", map[string]any{"kind": "drop_after", "endpoint": endpoint, "count": 1})
}
