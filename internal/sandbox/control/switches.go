package control

import (
	"fmt"
	"reflect"
	"slices"
	"sync"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/names"
)

// Validated are the settings of a simulator, a struct. Validate names a value that makes no sense.
type Validated interface{ Validate() error }

// Switches are the settings and faults of a simulator. All methods are safe for concurrent use.
type Switches[S Validated] struct {
	guard    sync.Locker
	settings *S
	defaults func() S
	faults   *fault.Set
	Names
}

// Names are what a fault may name at a provider.
type Names struct {
	// Known reports whether an order of an id is here.
	Known func(orderID string) bool
	// Endpoints are those of the API, by path. Statuses are those among them that tell an order's status.
	Endpoints, Statuses []string
	// Variants are the callbacks that CallbackForged can send.
	Variants []string
}

// at lists the endpoints at which a fault can act.
func (n Names) at(kind fault.Kind) []string {
	switch {
	case slices.Contains(fault.Callback, kind):
		return []string{fault.AtCallback}
	case slices.Contains(fault.Check, kind):
		return n.Statuses
	}
	return n.Endpoints
}

// NewSwitches returns the switches for a simulator whose mutex is guard. The simulator reads settings directly, with guard held,
// and takes faults as they come.
func NewSwitches[S Validated](guard sync.Locker, settings *S, defaults func() S, faults *fault.Set, known Names) *Switches[S] {
	return &Switches[S]{guard, settings, defaults, faults, known}
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
		if failed = read(raw, &next); failed != nil {
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

// AddFault switches a fault on and returns its id. The error names what nobody knows, and the nearest name that somebody does.
func (s *Switches[S]) AddFault(f fault.Fault) (string, error) {
	if f.Kind == fault.CallbackForged {
		if err := names.Check("callback variant", f.Variant, s.Variants); err != nil {
			return "", err
		}
	}
	if f.Endpoint != "" {
		if err := names.Check("endpoint", f.Endpoint, s.at(f.Kind)); err != nil {
			return "", fmt.Errorf("fault %s: %w", f.Kind, err)
		}
	}
	return s.faults.Add(f)
}

// waiting says that a fault is for an order that is not here, and "" for every other fault. Whoever makes orders by ids of their own has
// such a fault wait for one.
func (s *Switches[S]) waiting(f fault.Fault) string {
	if f.OrderID == "" || s.Known(f.OrderID) {
		return ""
	}
	return fmt.Sprintf("No order %q is here yet: the fault does nothing until one comes. An order is named by its provider_order_id, not by payrelay's id.", f.OrderID)
}

// RemoveFault switches one fault off and reports whether it was on.
func (s *Switches[S]) RemoveFault(id string) bool { return s.faults.Remove(id) }

// ClearFaults switches all faults off.
func (s *Switches[S]) ClearFaults() { s.faults.Clear() }

// Faults lists the faults that are on.
func (s *Switches[S]) Faults() []fault.Fault { return s.faults.List() }
