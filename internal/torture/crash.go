package torture

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// crashes finds in a replica's log what no fault excuses.
func crashes(path string) ([]Crash, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read a replica's log: %w", err)
	}
	defer func() { _ = file.Close() }()
	return scan(filepath.Base(path), file)
}

// scan reads a log: panics, and errors that are not the database's absence. A callback is answered 503 whatever the
// error, so its log line tells.
func scan(name string, log io.Reader) ([]Crash, error) {
	var found []Crash
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		var l struct {
			Message, Error string
			Cause          *string
			Status         int
		}
		switch err := json.Unmarshal([]byte(text), &l); {
		case err != nil && (strings.HasPrefix(text, "panic:") || strings.HasPrefix(text, "fatal error:")):
			found = append(found, Crash{name, text})
		case err != nil:
		case l.Message == "panic":
			found = append(found, Crash{name, "panic in a request"})
		case l.Message == "callback" && l.Status >= 500 && l.Cause != nil && *l.Cause == "":
			found = append(found, Crash{name, "callback: " + l.Error})
		case strings.Contains(l.Message, "could not be written down") || strings.HasPrefix(l.Message, "due "):
			if !strings.Contains(l.Error, "service_unavailable") && !strings.Contains(l.Error, "context canceled") {
				found = append(found, Crash{name, l.Message + ": " + l.Error})
			}
		}
	}
	return found, lines.Err()
}
