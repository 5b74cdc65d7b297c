package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
)

// maxBody is the most that a shop may send, in bytes.
const maxBody = 64 << 10

// parseBody parses the body of a POST, once, and makes the hash that tells a repeat from another request. The text is
// wiped afterwards, as far as Go allows.
func (s *server) parseBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		text, err := io.ReadAll(r.Body)
		defer clear(text)
		if err != nil {
			s.problem(w, r, incomplete(err, r.Method))
			return
		}
		c := callOf(r.Context())
		if len(text) > 0 {
			if !isJSON(r.Header.Get("Content-Type")) {
				s.problem(w, r, problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Detail: "Send the body as Content-Type: application/json, in UTF-8."})
				return
			}
			if c.body, err = parseJSON(text); err != nil {
				s.problem(w, r, notJSON(err))
				return
			}
		}
		c.hash = s.requestHash(r, c.body)
		next.ServeHTTP(w, r)
	})
}

// requestHash is a keyed hash of what is asked for: method, address and body. It is stored, so a card's code is left out. A preview has that
// of the request that it previews.
func (s *server) requestHash(r *http.Request, body *parsed) []byte {
	mac := hmac.New(sha256.New, s.HashKey)
	for _, part := range []string{r.Method, "\x00", strings.TrimSuffix(r.URL.Path, "/preview"), "\x00"} {
		mac.Write([]byte(part))
	}
	if body != nil {
		show := body.hideCodes()
		canonical := body.canonical()
		show()
		defer clear(canonical)
		mac.Write(canonical)
	}
	return mac.Sum(nil)
}

// isJSON reports whether a Content-Type says JSON in UTF-8.
func isJSON(contentType string) bool {
	kind, params, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json" && (params["charset"] == "" || strings.EqualFold(params["charset"], "utf-8"))
}

var bodyTooLarge = problem{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Detail: "The body is larger than 64 KiB."}

// incomplete answers a body of which not all arrived, or not in time. net/http closes the connection after it.
func incomplete(err error, method string) problem {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return bodyTooLarge
	}
	p := problem{Status: http.StatusBadRequest, Code: "malformed_json", Detail: "The body did not arrive whole: the connection broke off."}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p = problem{Status: http.StatusRequestTimeout, Code: "request_timeout", Detail: fmt.Sprintf(
			"The body came too slowly: it must be here within %.0f seconds, and has one second more for each KiB that has come, %.0f seconds at most.",
			arrivalStart.Seconds(), arrivalMost.Seconds(),
		)}
	}
	p.Detail += nothingDone(method) + " Send the same again."
	return p
}

// notJSON answers a body that cannot be parsed.
func notJSON(err error) problem {
	p := problem{Status: http.StatusBadRequest, Code: "malformed_json", Detail: "The body is not valid JSON: " + err.Error() + "."}
	if e, ok := errors.AsType[*duplicateError](err); ok {
		p.Fields = e.members
	}
	return p
}
