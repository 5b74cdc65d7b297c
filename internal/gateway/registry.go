package gateway

import (
	"fmt"
	"slices"
	"strings"
)

// Registry is the plain list of the drivers that a program was built with.
type Registry struct{ drivers []Driver }

// NewRegistry returns a registry of drivers. Two of one name are a programmer's mistake and panic.
func NewRegistry(drivers ...Driver) *Registry {
	seen := map[string]bool{}
	for _, d := range drivers {
		if seen[d.Name()] {
			panic("gateway: two drivers called " + d.Name())
		}
		seen[d.Name()] = true
	}
	return &Registry{drivers: drivers}
}

// Driver returns the driver called name. The error lists those that there are.
func (r *Registry) Driver(name string) (Driver, error) {
	for _, d := range r.drivers {
		if d.Name() == name {
			return d, nil
		}
	}
	return nil, fmt.Errorf("no provider %q: use one of %s", name, strings.Join(r.Names(), ", "))
}

// Names lists the providers, sorted.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.drivers))
	for _, d := range r.drivers {
		names = append(names, d.Name())
	}
	slices.Sort(names)
	return names
}
