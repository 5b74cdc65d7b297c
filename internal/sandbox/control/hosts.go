package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/host"
)

// Hosts are the addresses that merchants have for themselves, by the provider's name of the merchant.
type Hosts map[string]*host.Host

// HostView is one of them.
type HostView struct {
	Merchant string     `json:"merchant"`
	Address  string     `json:"address"`
	State    host.State `json:"state"`
}

// Views lists the hosts.
func (h Hosts) Views() []HostView {
	list := make([]HostView, 0, len(h))
	for _, merchant := range slices.Sorted(maps.Keys(h)) {
		list = append(list, HostView{merchant, h[merchant].Address(), h[merchant].State()})
	}
	return list
}

// Set changes how a merchant's host behaves.
func (h Hosts) Set(ctx context.Context, merchant string, state host.State) error {
	one := h[merchant]
	if len(h) == 0 {
		return errors.New("no merchant has a host of its own: start 'server dev' with --sandbox-host MERCHANT=ADDRESS, or 'server sandbox' with --host")
	}
	if one == nil {
		return fmt.Errorf("merchant %q has no host of its own: it must be one of [%s]", merchant, strings.Join(slices.Sorted(maps.Keys(h)), ", "))
	}
	return one.Set(ctx, state)
}

// URL is where a merchant is served: its host, or else where everybody is.
func (h Hosts) URL(merchant, everybody string) string {
	if one := h[merchant]; one != nil {
		return "http://" + one.Address()
	}
	return everybody
}

// Close ends the hosts.
func (h Hosts) Close() {
	for _, one := range h {
		one.Close()
	}
}

// HostRoutes adds hosts to the control API: /hosts.
func HostRoutes(r chi.Router, h Hosts) {
	r.Get("/hosts", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, h.Views()) })
	r.Post("/hosts", func(w http.ResponseWriter, r *http.Request) {
		Do(http.StatusOK, func(_ string, in HostView) (any, error) {
			err := h.Set(r.Context(), in.Merchant, in.State)
			return h.Views(), err
		})(w, r)
	})
}

// HostForms adds hosts to the developer's page: /console/hosts.
func HostForms(r chi.Router, h Hosts) {
	r.Post("/console/hosts", Form(func(f url.Values) error {
		return h.Set(context.Background(), f.Get("merchant"), host.State(f.Get("state")))
	}))
}
