package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"payrelay/internal/sandbox/fault"
)

// Validated are the settings of a simulator, a struct. Validate names a value that makes no sense.
type Validated interface{ Validate() error }

// Switches are the settings and faults of a simulator. All methods are safe for concurrent use.
type Switches[S Validated] struct {
	guard    sync.Locker
	settings *S
	defaults func() S
	faults   *fault.Set
	variants []string
}

// NewSwitches returns the switches for a simulator whose mutex is guard. The simulator reads settings directly, with guard held,
// and takes faults as they come. variants are the names of the callbacks that CallbackForged can send.
func NewSwitches[S Validated](guard sync.Locker, settings *S, defaults func() S, faults *fault.Set, variants []string) *Switches[S] {
	return &Switches[S]{guard, settings, defaults, faults, variants}
}

// Settings returns the present settings.
func (s *Switches[S]) Settings() S {
	s.guard.Lock()
	defer s.guard.Unlock()
	return *s.settings
}

// UpdateSettings changes settings; a change that makes no sense is rejected as a whole.
func (s *Switches[S]) UpdateSettings(change func(*S)) error {
	s.guard.Lock()
	defer s.guard.Unlock()
	next := *s.settings
	change(&next)
	if err := next.Validate(); err != nil {
		return err
	}
	*s.settings = next
	return nil
}

// patch changes the fields that a JSON object names and leaves the rest. A list is replaced as a whole; null
// leaves it.
func (s *Switches[S]) patch(raw []byte) error {
	var failed error
	err := s.UpdateSettings(func(now *S) {
		next := *now
		// Lists are replaced, not written into: the old ones may be in use.
		lists(&next, func(i int, list reflect.Value) { list.SetZero() })
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if failed = dec.Decode(&next); failed != nil {
			return
		}
		old := reflect.ValueOf(now).Elem()
		lists(&next, func(i int, list reflect.Value) {
			if list.IsNil() {
				list.Set(old.Field(i))
			}
		})
		*now = next
	})
	if failed != nil {
		return fmt.Errorf("read settings: %w", failed)
	}
	return err
}

// lists visits the fields of settings that are lists.
func lists[S any](settings *S, visit func(i int, list reflect.Value)) {
	v := reflect.ValueOf(settings).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice {
			visit(i, f)
		}
	}
}

// reset goes back to the defaults.
func (s *Switches[S]) reset() error {
	return s.UpdateSettings(func(now *S) { *now = s.defaults() })
}

// AddFault switches a fault on and returns its id.
func (s *Switches[S]) AddFault(f fault.Fault) (string, error) {
	if f.Kind == fault.CallbackForged && !slices.Contains(s.variants, f.Variant) {
		return "", fmt.Errorf("unknown callback variant %q: it must be one of %s", f.Variant, strings.Join(s.variants, ", "))
	}
	return s.faults.Add(f)
}

// RemoveFault switches one fault off and reports whether it was on.
func (s *Switches[S]) RemoveFault(id string) bool { return s.faults.Remove(id) }

// ClearFaults switches all faults off.
func (s *Switches[S]) ClearFaults() { s.faults.Clear() }

// Faults lists the faults that are on.
func (s *Switches[S]) Faults() []fault.Fault { return s.faults.List() }
