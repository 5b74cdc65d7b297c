package control

import (
	"encoding/json"
	"net/http"
	"strings"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/host"
	"payrelay/internal/sandbox/page"
)

// Console is what the developer's page shows of every simulator.
type Console struct {
	Prefix, Message string
	Faults          []fault.Fault
	Kinds           []fault.Kind
	Settings        string
	Hosts           []HostView
	HostStates      []host.State
}

// Console returns what the page at r shows. marker is the part of its path that follows the prefix, empty for the first page.
func (s *Switches[S]) Console(r *http.Request, marker string, hosts Hosts) Console {
	base := r.URL.Path
	if marker != "" {
		base = page.Prefix(r, marker)
	}
	return Console{
		Prefix: strings.TrimSuffix(base, "/"), Message: r.URL.Query().Get("message"),
		Faults: s.Faults(), Kinds: fault.All, Settings: Indented(s.Settings()),
		Hosts: hosts.Views(), HostStates: host.States,
	}
}

// Indented is a plain value as indented JSON.
func Indented(v any) string {
	raw, _ := json.MarshalIndent(v, "", "  ") // plain values cannot fail
	return string(raw)
}

// Newest returns copies of the last orders of seq, newest first; limit <= 0 means all.
func Newest[O any](seq []*O, limit int, clone func(*O) O) []O {
	if limit <= 0 || limit > len(seq) {
		limit = len(seq)
	}
	out := make([]O, 0, limit)
	for i := len(seq) - 1; i >= len(seq)-limit; i-- {
		out = append(out, clone(seq[i]))
	}
	return out
}
