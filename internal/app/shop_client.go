package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"payrelay/internal/shop"
)

// shopFlags say which service a command talks to, as which shop.
type shopFlags struct {
	URL string `name:"url" placeholder:"URL" help:"Where the service is, if not where the 'server dev' of this folder is, or else at http://127.0.0.1:8080."`
	Key string `placeholder:"KEY" help:"The shop's API key; else PAYRELAY_KEY, which other users of the machine do not see, and else the one that 'server dev' prints."`
}

// client returns the API as the shop uses it.
func (f shopFlags) client(io *Streams) (*shopClient, error) {
	at := cmp.Or(f.URL, devHere().API)
	if problems := badBaseURL("--url", at); len(problems) > 0 {
		return nil, errors.New(problems[0])
	}
	key := strings.TrimSpace(cmp.Or(f.Key, lookup(io.Environ, "PAYRELAY_KEY"), shop.DemoKey))
	return &shopClient{url: strings.TrimRight(at, "/"), key: key, http: &http.Client{Timeout: shopTimeout}}, nil
}

// shopTimeout is longer than the service waits for a provider.
const shopTimeout = time.Minute

// maxShopAnswer bounds an answer: a page of the feed is the largest.
const maxShopAnswer = 64 << 20

// shopClient calls the merchant API.
type shopClient struct {
	url, key string
	http     *http.Client
}

// shopError is an answer that is no success. Later is when the service says that it can be asked again.
type shopError struct {
	status int
	code   string
	detail string
	later  time.Duration
}

func (e *shopError) Error() string { return e.detail }

// passes reports whether an error may pass without anybody's doing.
func passes(err error) bool {
	e, answered := errors.AsType[*shopError](err)
	return !answered || e.status == http.StatusRequestTimeout || e.status == http.StatusTooManyRequests || e.status >= http.StatusInternalServerError
}

// call sends body, if there is one, and decodes the answer into into. Its errors say what to do.
func (c *shopClient) call(ctx context.Context, method, path string, body, into any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("write the request: %w", err)
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, sent)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxShopAnswer))
	if err != nil {
		return fmt.Errorf("the answer of %s broke off: try again", c.url)
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return c.rejected(res, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return c.stranger(res.StatusCode)
	}
	return nil
}

// unreachable says why there was no answer.
func (c *shopClient) unreachable(err error) error {
	var dns *net.DNSError
	var timeout net.Error
	cause := err
	if e, ok := errors.AsType[*url.Error](err); ok {
		cause = e.Err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &dns):
		return fmt.Errorf("there is no host %s: mend --url", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody listens at %s: start 'server dev' there, or name the service with --url", c.url)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%s does not answer in time: see whether the service runs, and whether --url is its address", c.url)
	}
	return fmt.Errorf("%s cannot be called: %w; see whether --url is the service's address", c.url, cause)
}

// rejected says what the service has against a request.
func (c *shopClient) rejected(res *http.Response, body []byte) error {
	var problem struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Errors []struct{ Field, Message string }
	}
	if json.Unmarshal(body, &problem) != nil || problem.Code == "" {
		return c.stranger(res.StatusCode)
	}
	e := &shopError{status: res.StatusCode, code: problem.Code, detail: problem.Detail}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
		e.later = time.Duration(seconds) * time.Second
	}
	for _, f := range problem.Errors {
		e.detail += " " + f.Field + " " + f.Message + "."
	}
	if e.status == http.StatusUnauthorized {
		e.detail = fmt.Sprintf("%s does not take the key: give a live key of the shop with PAYRELAY_KEY or --key", c.url)
	}
	return e
}

func (c *shopClient) stranger(status int) error {
	return &shopError{status: status, code: "stranger", detail: fmt.Sprintf("what answers at %s with %d is not payrelay: mend --url", c.url, status)}
}

// notification is what the tools read of an entry of the feed.
type notification struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at"`
	Sequence  int       `json:"sequence"`
	Order     struct {
		ID        string `json:"id"`
		Reference string `json:"reference"`
		Amount    int64  `json:"amount"`
		Currency  string `json:"currency"`
	} `json:"order"`
	Dispute struct {
		ID string `json:"id"`
	} `json:"dispute"`

	payload []byte // as it was signed
}

// feedPage is how many notifications are read at once.
const feedPage = "100"

// feed follows the shop's event feed.
type feed struct {
	client *shopClient
	from   url.Values // where the next page begins
}

// feedFrom returns the feed from a time on.
func (c *shopClient) feedFrom(since time.Time) *feed {
	return &feed{client: c, from: url.Values{"since": {since.UTC().Format(time.RFC3339Nano)}}}
}

// feedFromNow returns the feed from its end on.
func (c *shopClient) feedFromNow(ctx context.Context) (*feed, error) {
	f := c.feedFrom(time.Now()) // the service's clock may differ, so the rest is read, too
	for {
		_, more, err := f.next(ctx)
		if err != nil || !more {
			return f, err
		}
	}
}

// next reads on, and says whether there is more at once.
func (f *feed) next(ctx context.Context) (list []notification, more bool, err error) {
	f.from.Set("limit", feedPage)
	var page struct {
		Data       []json.RawMessage `json:"data"`
		NextCursor *string           `json:"next_cursor"`
		LastCursor *string           `json:"last_cursor"`
	}
	if err := f.client.call(ctx, http.MethodGet, "/v1/events?"+f.from.Encode(), nil, &page); err != nil {
		return nil, false, err
	}
	for _, payload := range page.Data {
		n := notification{payload: payload}
		if err := json.Unmarshal(payload, &n); err != nil {
			return nil, false, f.client.stranger(http.StatusOK)
		}
		list = append(list, n)
	}
	if page.LastCursor != nil {
		f.from = url.Values{"cursor": {*page.LastCursor}}
	}
	return list, page.NextCursor != nil, nil
}
