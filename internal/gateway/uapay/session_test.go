package uapay

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Accounts of one merchant share a session, whichever of them renews it; another merchant has its own.
func TestAccountsOfOneMerchantShareASession(t *testing.T) {
	t.Parallel()
	p := newProvider(t, map[string][]string{"invoicer/invoices/create": {invoiceMade}})
	d := New(testClient(t))
	var group sync.WaitGroup
	for range 8 {
		g, err := d.Open(account(p.url))
		require.NoError(t, err)
		group.Go(func() {
			_, err := g.CreatePayment(t.Context(), hosted())
			require.NoError(t, err)
		})
	}
	group.Wait()
	require.Equal(t, 1, p.session)
	other := account(p.url)
	other.Settings["client_id"] = "90002"
	g, err := d.Open(other)
	require.NoError(t, err)
	_, err = g.CreatePayment(t.Context(), hosted())
	require.NoError(t, err)
	require.Equal(t, 2, p.session)
}

// forgetful is a provider that knows which sessions it gave, until it forgets them all.
type forgetful struct {
	mu    sync.Mutex
	made  int
	alive map[string]bool
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Params struct {
			SessionID string `json:"sessionId"`
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.URL.Path == "/api/sessions/create":
		f.made++
		id := fmt.Sprintf("session-%d", f.made)
		f.alive[id] = true
		_, _ = io.WriteString(w, signed(`{"id":"`+id+`"}`))
	case !f.alive[body.Params.SessionID]:
		_, _ = io.WriteString(w, `{"status":0,"error":{"code":"SESSION_NOT_FOUND"}}`)
	default:
		_, _ = io.WriteString(w, signed(invoiceMade))
	}
}

func (f *forgetful) forget() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.alive)
	return f.made
}

// Replicas have a session each, share nothing, and renew once each when the provider forgets them all, however many
// calls are under way.
func TestReplicasRenewOnceEach(t *testing.T) {
	t.Parallel()
	f := &forgetful{alive: map[string]bool{}}
	url := serve(t, f)
	replicas := []*Gateway{open(t, account(url)), open(t, account(url)), open(t, account(url))}
	for round := 1; round <= 5; round++ {
		var group sync.WaitGroup
		for _, g := range replicas {
			for range 10 {
				group.Go(func() {
					_, err := g.CreatePayment(t.Context(), hosted())
					require.NoError(t, err)
				})
			}
		}
		group.Wait()
		require.Equal(t, round*len(replicas), f.forget())
	}
}
