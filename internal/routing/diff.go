package routing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Change is how a rule of one set differs from that of another.
type Change struct {
	Rule   string          `json:"rule"` // "otherwise" is what happens where no rule fits
	Change string          `json:"change"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// The kinds of changes.
const (
	ruleAdded   = "added"
	ruleRemoved = "removed"
	ruleChanged = "changed"
	ruleMoved   = "moved"
)

func (c Change) String() string {
	switch c.Change {
	case ruleAdded:
		return fmt.Sprintf("+ %q %s", c.Rule, c.After)
	case ruleRemoved:
		return fmt.Sprintf("- %q %s", c.Rule, c.Before)
	case ruleMoved:
		return fmt.Sprintf("~ %q stands at another place", c.Rule)
	}
	return fmt.Sprintf("~ %q\n  - %s\n  + %s", c.Rule, c.Before, c.After)
}

// written is a set as its file has it.
type written struct {
	Rules     []json.RawMessage `json:"rules"`
	Otherwise string            `json:"otherwise"`

	names []string
}

func readWritten(body []byte) (w written, err error) {
	if err := json.Unmarshal(body, &w); err != nil {
		return w, fmt.Errorf("read the rules: %w", err)
	}
	for i, rule := range w.Rules {
		var named struct {
			Name string `json:"name"`
		}
		var compact bytes.Buffer
		if err := json.Unmarshal(rule, &named); err != nil {
			return w, fmt.Errorf("read a rule: %w", err)
		}
		if err := json.Compact(&compact, rule); err != nil {
			return w, fmt.Errorf("read a rule: %w", err)
		}
		w.Rules[i], w.names = compact.Bytes(), append(w.names, named.Name)
	}
	if w.Otherwise == "" {
		w.Otherwise = otherwise[0]
	}
	return w, nil
}

// Diff says how the second set differs from the first, rule by rule.
func Diff(first, second []byte) ([]Change, error) {
	a, err := readWritten(first)
	if err != nil {
		return nil, err
	}
	b, err := readWritten(second)
	if err != nil {
		return nil, err
	}
	changes := []Change{}
	for i, name := range a.names {
		if !slices.Contains(b.names, name) {
			changes = append(changes, Change{Rule: name, Change: ruleRemoved, Before: a.Rules[i]})
		}
	}
	shared := func(names, others []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(others, name) })
	}
	before, place := shared(a.names, b.names), 0
	for i, name := range b.names {
		j := slices.Index(a.names, name)
		if j < 0 {
			changes = append(changes, Change{Rule: name, Change: ruleAdded, After: b.Rules[i]})
			continue
		}
		if !bytes.Equal(a.Rules[j], b.Rules[i]) {
			changes = append(changes, Change{name, ruleChanged, a.Rules[j], b.Rules[i]})
		} else if before[place] != name {
			changes = append(changes, Change{Rule: name, Change: ruleMoved})
		}
		place++
	}
	if a.Otherwise != b.Otherwise {
		changes = append(changes, Change{"otherwise", ruleChanged, json.RawMessage(`"` + a.Otherwise + `"`), json.RawMessage(`"` + b.Otherwise + `"`)})
	}
	return changes, nil
}
