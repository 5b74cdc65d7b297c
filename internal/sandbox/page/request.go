package page

import (
	"net/http"
	"strings"
)

// maxForm bounds a form that a browser sends.
const maxForm = 64 << 10

// Prefix is the path under which the simulator is mounted: what stands before marker.
func Prefix(r *http.Request, marker string) string {
	path, _, _ := strings.Cut(r.URL.Path, marker)
	return path
}

// Base is the address under which browsers reach the simulator, without a slash at the end: configured, or else the host of
// the request with what stands before the first of the simulator's own folders.
func Base(configured string, r *http.Request, folders ...string) string {
	if configured != "" {
		return strings.TrimRight(configured, "/")
	}
	path := r.URL.Path
	for _, folder := range folders {
		if i := strings.Index(path, folder); i >= 0 {
			path = path[:i]
		}
	}
	return "http://" + r.Host + strings.TrimRight(path, "/")
}

// ReadForm reads a form into r.PostForm. What it cannot read it answers with 400, and returns false.
func ReadForm(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return false
	}
	return true
}
