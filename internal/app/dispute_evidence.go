package app

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"payrelay/internal/payment"
)

// longestNote is how long a note about a dispute may be, in letters; longestName is that of a file's name.
const (
	longestNote = 2000
	longestName = 200
)

// evidenceFlags say what is handed in for a dispute.
type evidenceFlags struct {
	Note     string `placeholder:"TEXT" help:"What the evidence is, or what somebody said. It is kept in the order's history."`
	Evidence string `placeholder:"FILE" help:"A file that you hand in at the provider. Its name, SHA-256 and size are kept, not the file: send it in the provider's cabinet."`
}

// read returns the note, and what is kept of the file.
func (f evidenceFlags) read() (note string, kept *payment.Evidence, err error) {
	note = strings.TrimSpace(f.Note)
	if n := utf8.RuneCountInString(note); n > longestNote {
		return "", nil, fmt.Errorf("--note has %d letters, and at most %d are kept: put the rest into a file, and name it with --evidence", n, longestNote)
	}
	for _, t := range []operatorText{{"--note", note}, {"the name of --evidence", filepath.Base(f.Evidence)}} {
		if err := t.check(); err != nil {
			return "", nil, err
		}
	}
	if f.Evidence == "" {
		return note, nil, nil
	}
	kept, err = digestOf(f.Evidence)
	return note, kept, err
}

// digestOf is what is kept of a file.
func digestOf(path string) (*payment.Evidence, error) {
	name := filepath.Base(path)
	if utf8.RuneCountInString(name) > longestName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return nil, fmt.Errorf("the name of --evidence is longer than %d letters, or no text: rename the file", longestName)
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, err)
	case n == 0:
		return nil, fmt.Errorf("%s is empty", path)
	}
	return &payment.Evidence{Name: name, SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: n}, nil
}

// untilDue is until when evidence is taken, if that is known.
func untilDue(d payment.Dispute) string {
	if d.DueAt == nil {
		return ""
	}
	return " until " + d.DueAt.Format(time.RFC3339)
}

// disputeStep is a step of a dispute as commands show it.
type disputeStep struct {
	At       time.Time      `json:"at"`
	Source   payment.Source `json:"source"`
	Operator string         `json:"operator,omitempty"`
	Status   string         `json:"status"`
	Reason   string         `json:"reason,omitempty"`
	Note     string         `json:"note,omitempty"`
	Evidence *evidenceFile  `json:"evidence,omitempty"`
}

// evidenceFile is what is kept of a file.
type evidenceFile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// disputeSteps are the steps of a dispute, from the history of its order.
func disputeSteps(ctx context.Context, db *database, d payment.Dispute) ([]disputeStep, error) {
	history, err := db.store.History(ctx, payment.Key{Shop: d.ShopID, Order: d.OrderID})
	if err != nil {
		return nil, err
	}
	steps := []disputeStep{}
	for _, t := range history {
		said := t.ProviderData
		if said["dispute"] != d.ID.String() {
			continue
		}
		s := disputeStep{At: t.At, Source: t.Source, Operator: said["operator"], Status: said["dispute_status"], Reason: said["reason"], Note: said[payment.FieldNote]}
		if name := said[payment.FieldEvidence]; name != "" {
			n, _ := strconv.ParseInt(said[payment.FieldEvidenceBytes], 10, 64) // payrelay wrote it
			s.Evidence = &evidenceFile{name, said[payment.FieldEvidenceSHA256], n}
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// print is the step for people.
func (s disputeStep) print(to *Streams) {
	fmt.Fprintf(to.Out, "%s  %s by %s: %s\n", s.At.Format(time.RFC3339), s.Status, cmp.Or(s.Operator, string(s.Source)), orNone(s.Reason))
	if s.Note != "" {
		fmt.Fprintf(to.Out, "    note      %s\n", s.Note)
	}
	if e := s.Evidence; e != nil {
		fmt.Fprintf(to.Out, "    evidence  %s, %d bytes, SHA-256 %s\n", e.Name, e.Bytes, e.SHA256)
	}
}
