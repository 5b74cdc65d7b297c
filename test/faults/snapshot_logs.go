package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// crashes finds in a replica's log what no fault excuses, and the requests whose answer could not be kept for their
// Idempotency-Key because the database was away.
func crashes(path string, injections []Injection) (found []Crash, unkept []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read a replica's log: %w", err)
	}
	defer func() { _ = file.Close() }()
	return scan(filepath.Base(path), file, injections)
}

// scan reads a log: panics, and errors that are not the database's absence, or are although no fault had hit the database
// or the process. A callback is answered 503 whatever the error, so its log line tells.
func scan(name string, log io.Reader, injections []Injection) (found []Crash, unkept []string, err error) {
	x := indexed{Snapshot: Snapshot{Injections: injections}}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	excused := func(l logLine) bool {
		return away(l.Error) && x.during(l.Time.Add(-keptWithin), l.Time.Add(time.Second), func(s Injection) bool { return s.Database || s.Process })
	}
	for lines.Scan() {
		text := lines.Text()
		var l logLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			if strings.HasPrefix(text, "panic:") || strings.HasPrefix(text, "fatal error:") {
				found = append(found, Crash{name, text})
			}
			continue
		}
		if l.unkept() && excused(l) {
			unkept = append(unkept, l.RequestID)
			continue
		}
		if what := l.crash(); what != "" {
			found = append(found, Crash{name, what})
		}
	}
	return found, unkept, lines.Err()
}

// logLine is what is read of a line of a replica's log.
type logLine struct {
	Message, Error string
	Cause          *string
	Status         int
	RequestID      string `json:"request_id"`
	Time           time.Time
}

// unkept reports whether the line says that an answer could not be kept.
func (l logLine) unkept() bool { return strings.HasPrefix(l.Message, "the answer could not be kept") }

// crash is what the line says that nothing but the absence of the database excuses, or "".
func (l logLine) crash() string {
	unwritten := strings.Contains(l.Message, "could not be written down") || strings.HasPrefix(l.Message, "due ")
	switch {
	case l.Message == "panic":
		return "panic in a request"
	case l.Message == "callback" && l.Status >= 500 && l.Cause != nil && *l.Cause == "":
		return "callback: " + l.Error
	case l.unkept(), unwritten && !away(l.Error):
		return l.Message + ": " + l.Error
	}
	return ""
}

// keptWithin is how long the service tries to keep an answer before it says that it could not: twice five seconds.
const keptWithin = 11 * time.Second

// away reports whether an error says that the database could not be asked.
func away(text string) bool {
	return strings.Contains(text, "service_unavailable") || strings.Contains(text, "context canceled")
}
