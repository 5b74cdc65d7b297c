package httpapi

import (
	"net/http"
	"slices"
	"strings"
)

// unencoded rejects a body in an encoding: it would be read as something else than its sender means.
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
