package control

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/host"
	"payrelay/internal/sandbox/record"
)

// settings are those of a simulator.
type settings struct {
	Word  string `json:"word"`
	Times []int  `json:"times"`
	Rules []rule `json:"rules"`
}

type rule struct {
	A int `json:"a,omitempty"`
	B int `json:"b,omitempty"`
}

func (s settings) Validate() error {
	if s.Word == "" {
		return errors.New("word must not be empty")
	}
	return nil
}

func defaults() settings { return settings{Word: "default", Times: []int{1}, Rules: []rule{}} }

type order struct {
	ID string `json:"id"`
}

// fixture is a simulator with one order, "known", and a second one that is finished, "over".
type fixture struct {
	*Switches[settings]
	mu       sync.Mutex
	settings settings
	done     []string
	server   *httptest.Server
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{settings: defaults()}
	b.Switches = NewSwitches(&b.mu, &b.settings, defaults, &fault.Set{}, Names{
		Known: func(id string) bool { return id == "o" }, Endpoints: []string{"check", "refund"}, Statuses: []string{"check"}, Variants: []string{"forged", "unsigned"},
	})
	log := record.New(10)
	log.Add(record.Request{Endpoint: "check", OrderID: "known"})
	log.Add(record.Request{Endpoint: "check", OrderID: "other"})
	log.Add(record.Request{Endpoint: "refund", OrderID: "known"})
	find := func(id string) (order, bool) { return order{id}, id == "known" || id == "over" }
	r := chi.NewRouter()
	r.Use(SameOrigin)
	r.Route("/simulator", func(r chi.Router) {
		r.Route("/control", func(r chi.Router) {
			Routes(r, b.Switches)
			r.Get("/orders", Orders(func(limit int) []order { return make([]order, min(limit, 150)) }))
			r.Get("/orders/{id}", Order(find))
			r.Get("/requests", Requests(log))
			r.Post("/orders/{id}/complete", Complete(func(id, outcome string) error {
				switch id {
				case "over":
					return ErrFinished
				case "lost", "known":
					b.done = append(b.done, id+" "+outcome)
					return nil
				}
				return ErrUnknownOrder
			}, find))
			r.NotFound(NoSuchCall(r))
			r.Post("/secrets", CallbackSecret(func(id, secret string) { b.done = append(b.done, id+" "+secret) }))
		})
		Forms(r, b.Switches)
	})
	b.server = httptest.NewServer(r)
	t.Cleanup(b.server.Close)
	return b
}

func (b *fixture) call(t *testing.T, method, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.server.URL+"/simulator"+path, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header, string(raw)
}

// expect calls and compares; a body is compared without its white space.
func (b *fixture) expect(t *testing.T, method, path, body string, status int, want string) {
	t.Helper()
	got, header, raw := b.call(t, method, "/control"+path, body)
	require.Equal(t, status, got, raw)
	require.Equal(t, want, strings.Join(strings.Fields(raw), ""))
	if want != "" {
		require.Equal(t, "application/json", header.Get("Content-Type"))
	}
}

func TestFaultsOverTheAPI(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.expect(t, "GET", "/faults", "", 200, `[]`)
	b.expect(t, "POST", "/faults", `{"kind":"drop_after","endpoint":"check"}`, 201, `{"id":"1"}`)
	b.expect(t, "POST", "/faults", `{"kind":"callback_forged","variant":"forged"}`, 201, `{"id":"2"}`)
	b.expect(t, "POST", "/faults", `{"kind":"callback_forged","variant":"odd"}`, 400, `{"error":"unknowncallbackvariant\"odd\":itmustbeoneofforged,unsigned"}`)
	b.expect(t, "POST", "/faults", `{"kind":"drop_after","endpoint":"refnd"}`, 400, `{"error":"faultdrop_after:unknownendpoint\"refnd\",didyoumean\"refund\"?Itmustbeoneofcheck,refund"}`)
	for _, never := range []string{`{"kind":"check_lie","endpoint":"refund"}`, `{"kind":"callback_off","endpoint":"check"}`, `{"kind":"drop_after","endpoint":"callback"}`} {
		status, _, raw := b.call(t, "POST", "/control/faults", never)
		require.Equal(t, 400, status, "%s would never act: %s", never, raw)
	}
	_, _, raw := b.call(t, "POST", "/control/faults", `{"kind":"drop_aftr"}`)
	require.Contains(t, raw, `unknown fault kind \"drop_aftr\", did you mean \"drop_after\"?`)
	_, _, raw = b.call(t, "POST", "/control/faults", `{}`)
	require.Contains(t, raw, `no fault kind is named: it must be one of`)
	b.expect(t, "POST", "/faults", `{"kind":"drop_after","delay_ms":3600001}`, 400, `{"error":"faultdrop_after:delay_msmustbeatmost3600000,whichisanhour"}`)
	b.expect(t, "POST", "/faults", `{"kind":"delay_before"}`, 400, `{"error":"faultdelay_before:delay_msismissing:itsaysforhowlong,inmilliseconds"}`)
	b.expect(t, "POST", "/falts", "", 404, `{"error":"unknowncontrolcall\"/falts\",didyoumean\"/faults\"?Itmustbeoneof/faults,/faults/{id},/orders,/orders/{id},/orders/{id}/complete,/requests,/secrets,/settings"}`)
	_, _, raw = b.call(t, "POST", "/control/faults", `{"knd":"drop_after"}`)
	require.Contains(t, raw, `unknown field \"knd\", did you mean \"kind\"?`)
	b.expect(t, "DELETE", "/faults/2", "", 204, "")
	b.expect(t, "DELETE", "/faults/2", "", 404, `{"error":"nosuchfault"}`)
	b.expect(t, "GET", "/faults", "", 200, `[{"id":"1","kind":"drop_after","endpoint":"check","hits":0}]`)
	b.expect(t, "DELETE", "/faults", "", 200, `[]`)
	b.expect(t, "POST", "/faults", `{"kind":"drop_after","order_id":"o"}`, 201, `{"id":"3"}`)
	_, _, raw = b.call(t, "POST", "/control/faults", `{"kind":"drop_after","order_id":"later"}`)
	require.Contains(t, raw, `"warning": "No order \"later\" is here yet: the fault does nothing until one comes.`)
	b.ClearFaults()
	require.Empty(t, b.Faults())
}

func TestSettingsOverTheAPI(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.expect(t, "GET", "/settings", "", 200, `{"word":"default","times":[1],"rules":[]}`)
	b.expect(t, "POST", "/settings", `{"times":[2,3],"rules":[{"a":1}]}`, 200, `{"word":"default","times":[2,3],"rules":[{"a":1}]}`)
	before := b.Settings()
	b.expect(t, "POST", "/settings", `{"rules":[{"b":2}]}`, 200, `{"word":"default","times":[2,3],"rules":[{"b":2}]}`)
	require.Equal(t, []rule{{A: 1}}, before.Rules, "a list in use is not written into")
	b.expect(t, "POST", "/settings", `{"times":null,"word":"new"}`, 200, `{"word":"new","times":[2,3],"rules":[{"b":2}]}`)
	b.expect(t, "POST", "/settings", `{"times":[]}`, 200, `{"word":"new","times":[],"rules":[{"b":2}]}`)
	b.expect(t, "POST", "/settings", `{"word":"","times":[9]}`, 400, `{"error":"wordmustnotbeempty"}`)
	b.expect(t, "POST", "/settings", `{"odd":1}`, 400, `{"error":"readsettings:unknownfield\"odd\",didyoumean\"word\"?Itmustbeoneofword,times,rules"}`)
	b.expect(t, "POST", "/settings", `{"rules":[{"aa":1}]}`, 400, `{"error":"readsettings:unknownfield\"aa\",didyoumean\"a\"?Itmustbeoneofa,b"}`)
	b.expect(t, "POST", "/settings", ``, 400, `{"error":"readsettings:unexpectedendofJSONinput"}`)
	require.Equal(t, settings{Word: "new", Times: []int{}, Rules: []rule{{B: 2}}}, b.Settings(), "refused as a whole")
	b.expect(t, "DELETE", "/settings", "", 200, `{"word":"default","times":[1],"rules":[]}`)
}

func TestOrdersOverTheAPI(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for query, want := range map[string]int{"": 100, "?limit=2": 2, "?limit=-1": 100, "?limit=many": 100} {
		_, _, raw := b.call(t, "GET", "/control/orders"+query, "")
		require.Equal(t, want, strings.Count(raw, `"id"`), query)
	}
	b.expect(t, "GET", "/orders/known", "", 200, `{"id":"known"}`)
	b.expect(t, "GET", "/orders/none", "", 404, `{"error":"nosuchorder;nameitbyitsprovider_order_id,notbypayrelay'sid"}`)
	b.expect(t, "POST", "/orders/known/complete", `{"outcome":"success"}`, 200, `{"id":"known"}`)
	b.expect(t, "POST", "/orders/known/complete", ``, 200, `{"id":"known"}`)
	b.expect(t, "POST", "/orders/known/complete", `{"outcome":`, 400, `{"error":"readbody:unexpectedendofJSONinput"}`)
	b.expect(t, "POST", "/orders/lost/complete", `{}`, 404, `{"error":"nosuchorder;nameitbyitsprovider_order_id,notbypayrelay'sid"}`)
	b.expect(t, "POST", "/orders/over/complete", `{}`, 409, `{"error":"orderisfinishedalready"}`)
	b.expect(t, "POST", "/secrets", `{"order_id":"known"}`, 400, `{"error":"order_idandsecretarerequired"}`)
	b.expect(t, "POST", "/secrets", `{"order_id":"known","secret":"s"}`, 204, "")
	require.Equal(t, []string{"known success", "known ", "lost ", "known s"}, b.done)
	for query, want := range map[string]int{"": 3, "?order_id=known": 2, "?order_id=known&endpoint=check": 1, "?limit=1": 1} {
		_, _, raw := b.call(t, "GET", "/control/requests"+query, "")
		require.Equal(t, want, strings.Count(raw, `"seq"`), query)
	}
	b.expect(t, "GET", "/requests?order_id=none", "", 200, `{"requests":[]}`)
}

func TestFormsOfTheDevelopersPage(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	send := func(path string, form url.Values) string {
		t.Helper()
		status, header, raw := b.call(t, "POST", "/console"+path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		require.Equal(t, http.StatusSeeOther, status, raw)
		return header.Get("Location")
	}
	require.Equal(t, "/simulator/?message=Done.", send("/faults", url.Values{
		"kind": {"check_lie"}, "endpoint": {"check"}, "order_id": {"o"}, "count": {"2"}, "delay_ms": {"3"}, "variant": {"v"}, "code": {"FINISHED"},
	}))
	require.Equal(t, []fault.Fault{{ID: "1", Kind: fault.CheckLie, Endpoint: "check", OrderID: "o", Count: 2, DelayMS: 3, Variant: "v", Code: "FINISHED"}}, b.Faults())
	require.Contains(t, send("/faults", url.Values{"kind": {"drop_after"}, "order_id": {"later"}}), "/simulator/?message=Done.+No+order+%22later%22+is+here+yet")
	send("/faults/remove", url.Values{"id": {"2"}})
	require.Contains(t, send("/faults", url.Values{"kind": {"odd"}, "back": {"a/b"}}), "/simulator/orders/a%2Fb?message=Not+done%3A+unknown+fault+kind+%22odd%22%3A+it+must+be+one+of")
	send("/faults", url.Values{"kind": {"drop_after"}})
	send("/faults/remove", url.Values{"id": {"1"}})
	require.Len(t, b.Faults(), 1)
	send("/faults/remove", nil)
	require.Empty(t, b.Faults())
	send("/settings", url.Values{"settings": {`{"word":"typed"}`}})
	require.Equal(t, "typed", b.Settings().Word)

	status, _, _ := b.call(t, "POST", "/console/faults", "kind=drop_after", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, status)
	require.Empty(t, b.Faults())
	status, _, _ = b.call(t, "POST", "/console/faults", "%", "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusBadRequest, status)
}

func TestHostsOfNobody(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, Hosts{}.Set(t.Context(), "test", host.Refused), "no merchant has a host of its own: start 'server dev' with --sandbox-host")
}
