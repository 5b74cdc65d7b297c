package httpapi

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

// maxBody is the most that a shop may send, in bytes.
const maxBody = 64 << 10

func principal(ctx context.Context) shop.Principal {
	p, _ := ctx.Value(keyPrincipal).(shop.Principal)
	return p
}

// authenticate finds the shop by its key.
func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(detail string) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="payrelay"`)
			s.problem(w, r, problem{Status: http.StatusUnauthorized, Code: "unauthorized", Detail: detail})
		}
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		key = strings.TrimSpace(key)
		if len(r.Header.Values("Authorization")) != 1 || !strings.EqualFold(scheme, "Bearer") || key == "" || len(key) > 200 {
			refuse("Send your shop's key in the header Authorization: Bearer KEY.")
			return
		}
		if s.RejectDemoKey && key == shop.DemoKey {
			refuse("The demo key is for trying out only. Use your shop's own key.")
			return
		}
		p, err := s.Auth.Authenticate(r.Context(), shop.HashKey(key))
		switch {
		case payment.CodeOf(err) == payment.CodeNotFound:
			refuse("This key is not known, or was revoked.")
			return
		case err != nil:
			s.fail(w, r, err)
			return
		}
		recordOf(r.Context()).shop = p.Shop.Name
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), keyPrincipal, p)))
	})
}

// scoped refuses what the key's scopes do not cover, before anything else is looked at: a replay of an Idempotency-Key
// is an answer too. An operation without a scope in the contract is refused: a test
// holds that there is none.
func (s *server) scoped(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scope, ok := s.scopes[r.Method+" "+chi.RouteContext(r.Context()).RoutePattern()]
		if !ok || !principal(r.Context()).May(scope) {
			s.problem(w, r, problem{Status: http.StatusForbidden, Code: "forbidden", Detail: "This key lacks the scope " + string(scope) + ". Ask the operators for a key that has it."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bounded gives each request a time to end in. A POST goes on when the caller goes away: the money does.
func (s *server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if r.Method == http.MethodPost {
			ctx = context.WithoutCancel(ctx)
		}
		ctx, cancel := context.WithTimeout(ctx, s.ProviderTimeout+20*time.Second)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// headIsGet answers a HEAD as the GET of the same address, wherever there is one. The server leaves the body out.
func headIsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			get := *r
			get.Method = http.MethodGet
			r = &get
		}
		next.ServeHTTP(w, r)
	})
}

// unencoded refuses a body in an encoding: it would be read as something else than its sender means.
func (s *server) unencoded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encodings := strings.FieldsFunc(strings.Join(r.Header.Values("Content-Encoding"), ","), func(c rune) bool { return strings.ContainsRune(", \t", c) })
		if slices.ContainsFunc(encodings, func(e string) bool { return !strings.EqualFold(e, "identity") }) {
			w.Header().Set("Accept-Encoding", "identity")
			s.problem(w, r, problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Detail: "Send the body as it is, without Content-Encoding."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// readBody takes the body of a POST strictly, and makes the hash that tells a repeat from another request. The buffer is wiped afterwards, as far as Go allows.
func (s *server) readBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		defer clear(body)
		if err != nil {
			if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
				s.problem(w, r, problem{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Detail: "The body is larger than 64 KiB."})
				return
			}
			s.problem(w, r, problem{Status: http.StatusBadRequest, Code: "malformed_json", Detail: "The body did not arrive whole."})
			return
		}
		canonical, values := []byte{}, problems(nil)
		if len(body) > 0 {
			if kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" || (params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8")) {
				s.problem(w, r, problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Detail: "Send the body as Content-Type: application/json, in UTF-8."})
				return
			}
			if canonical, values, err = canonicalJSON(body); err != nil {
				p := problem{Status: http.StatusBadRequest, Code: "malformed_json", Detail: "The body is not valid JSON: " + err.Error() + "."}
				if e, ok := errors.AsType[*twiceError](err); ok {
					p.Fields = e.members
				}
				s.problem(w, r, p)
				return
			}
			defer clear(canonical)
		}
		mac := hmac.New(sha256.New, s.HashKey)
		for _, part := range []string{r.Method, "\x00", r.URL.Path, "\x00"} {
			mac.Write([]byte(part))
		}
		mac.Write(canonical)
		r = r.WithContext(context.WithValue(r.Context(), keyBody, received{bytes: body, values: values, hash: mac.Sum(nil)}))
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
		next.ServeHTTP(w, r)
	})
}

// received is the body of a request. bytes is wiped when the request is done.
type received struct {
	bytes  []byte
	values problems // what is wrong with its values whatever the contract says
	hash   []byte
}

func bodyOf(ctx context.Context) received {
	b, _ := ctx.Value(keyBody).(received)
	return b
}

func requestHash(ctx context.Context) []byte { return bodyOf(ctx).hash }
