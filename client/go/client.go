package payrelay

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls payrelay for one shop. Make it with New; it may be used by many goroutines at once. Its settings are changed
// before the first call.
type Client struct {
	// HTTP sends the requests. Redirects are never followed: payrelay sends none.
	HTTP *http.Client
	// Timeout is how long one try may take. A call has several, so limit the whole of it by its context.
	Timeout time.Duration
	// Retries is how many times a request is sent again, where that is safe.
	Retries int

	base, key string
	pause     func(ctx context.Context, d time.Duration) error
}

// New returns a client for the service at base, such as https://pay.example.com, and a shop's key, prk_….
func New(base, key string) *Client {
	return &Client{
		HTTP: &http.Client{}, Timeout: time.Minute, Retries: 3,
		base: strings.TrimRight(base, "/"), key: key, pause: pause,
	}
}

// Option changes one call.
type Option func(*request)

// IdempotencyKey sends a key of your own, which your program still knows after it was restarted. Without this option each call
// has a fresh key. Its retries keep it.
func IdempotencyKey(key string) Option {
	return func(r *request) { r.key = key }
}

// request is one call.
type request struct {
	method, path string
	id           *string // what stands in the path, if something does
	query, body  any
	once         []Option // not nil if the call takes an Idempotency-Key
	key          string
}

// once marks a call that takes an Idempotency-Key.
func once(options []Option) []Option { return append([]Option{}, options...) }

// repeatable reports whether the request may be sent again although nobody knows what became of it.
func (r *request) repeatable() bool { return r.method == http.MethodGet || r.key != "" }

// send sends a request, and sends it again where that is safe, and returns the body of the answer.
func (c *Client) send(ctx context.Context, r request) ([]byte, error) {
	if r.once != nil {
		r.key = rand.Text()
		for _, option := range r.once {
			option(&r)
		}
	}
	address, err := c.address(r)
	if err != nil {
		return nil, fmt.Errorf("payrelay: %s %s: %w", r.method, r.path, err)
	}
	var body []byte
	if r.body != nil {
		if body, err = json.Marshal(r.body); err != nil {
			return nil, fmt.Errorf("payrelay: %s %s: %w", r.method, r.path, err)
		}
	}
	for retry := 0; ; retry++ {
		answer, err := c.try(ctx, r, address, body)
		if err == nil {
			return answer, nil
		}
		wait, ok := retryAfter(err, retry)
		if !ok || !r.repeatable() || retry >= c.Retries || ctx.Err() != nil || c.pause(ctx, wait) != nil {
			return nil, fmt.Errorf("payrelay: %s %s: %w", r.method, r.path, err)
		}
	}
}

// address is the request's whole address.
func (c *Client) address(r request) (string, error) {
	path := r.path
	if r.id != nil {
		if *r.id == "" {
			return "", errors.New("the id is empty")
		}
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + url.PathEscape(*r.id) + after
	}
	if r.query == nil {
		return c.base + path, nil
	}
	text, err := json.Marshal(r.query)
	if err != nil {
		return "", err
	}
	members := json.NewDecoder(bytes.NewReader(text))
	members.UseNumber()
	var query map[string]any
	if err := members.Decode(&query); err != nil {
		return "", err
	}
	values := url.Values{}
	for name, value := range query {
		values.Set(name, fmt.Sprint(value))
	}
	return c.base + path + "?" + values.Encode(), nil
}

// try sends the request once.
func (c *Client) try(ctx context.Context, r request, address string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	once := *c.HTTP
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := once.Do(req)
	if err != nil {
		return nil, &networkError{err}
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, &networkError{err}
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, newError(res, answer)
	}
	return answer, nil
}

// raw is an answer as it came.
func raw(body []byte, err error) ([]byte, error) { return body, err }

// answer decodes an answer.
func answer[T any](body []byte, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	v := new(T)
	if err := json.Unmarshal(body, v); err != nil {
		return nil, fmt.Errorf("payrelay: the answer is not what was asked for: %w", err)
	}
	return v, nil
}

// all reads a list to its end.
func all[T any](page func(cursor string) (data []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			data, next, err := page(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range data {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}
