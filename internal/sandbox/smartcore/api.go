package smartcore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
)

// The host roles (smartcore.md 1).
const (
	rolePCI       = "pci"
	roleGateway   = "gateway"
	roleReporting = "reporting"
)

const maxBody = 1 << 20

// call is one authenticated API request.
type call struct {
	merchant *Merchant
	role     string
	endpoint string
	base     string
	body     body
	task     string // task id of an export
}

// answer is what an endpoint says.
type answer struct {
	status int // HTTP; 0 means 200
	body   map[string]any
	raw    []byte // instead of body
	kind   string // content type of raw
	// made is the order that the call created, if any.
	made *Order
}

type endpoint func(*Simulator, *call) answer

// method is an endpoint of the API, at one of the hosts.
type method struct {
	verb, role, path, name string
	fn                     endpoint
}

const excel = "aggregation-service/public/transaction/excel"

func methods() []method {
	post := func(role, path string, fn endpoint) method { return method{http.MethodPost, role, path, path, fn} }
	return []method{
		post(roleGateway, "initPayment", (*Simulator).initPayment),
		post(rolePCI, "initPaymentHost2Host", (*Simulator).initDirect),
		post(rolePCI, "authorize", (*Simulator).authorize),
		post(roleGateway, "capture", (*Simulator).capture),
		post(roleGateway, "cancel", (*Simulator).cancel),
		post(roleGateway, endpointCheck, (*Simulator).check),
		post(roleGateway, "refund", (*Simulator).refund),
		post(roleGateway, "recurrent", (*Simulator).recurrent),
		post(roleGateway, "withdrawal/tokenize-form", (*Simulator).tokenize),
		post(rolePCI, "withdrawal/init", (*Simulator).withdraw),
		post(roleGateway, "withdrawal/init", (*Simulator).withdraw),
		post(roleGateway, "withdrawal/balance/get", (*Simulator).balance),
		post(roleReporting, excel, (*Simulator).exportCreate),
		{http.MethodGet, roleReporting, excel + "/task/{task}", excel + "/task", (*Simulator).exportStatus},
		{http.MethodGet, roleReporting, excel + "/task/{task}/result", excel + "/result", (*Simulator).exportResult},
	}
}

// endpointCheck is the one endpoint that tells an order's status.
const endpointCheck = "check"

// Endpoints lists the API's endpoints, as faults name them.
func Endpoints() []string {
	var out []string
	for _, m := range methods() {
		if !slices.Contains(out, m.name) { // withdrawal/init is at two hosts
			out = append(out, m.name)
		}
	}
	return out
}

// Handler serves everything of the simulator.
func (t *Simulator) Handler() http.Handler {
	r := chi.NewRouter()
	for _, m := range methods() {
		r.Method(m.verb, "/"+m.role+"/"+m.path, t.api(m.role, m.name, m.fn))
	}
	for _, role := range []string{rolePCI, roleGateway, roleReporting} {
		r.HandleFunc("/"+role+"/*", t.api(role, "", func(*Simulator, *call) answer {
			return answer{status: http.StatusNotFound, body: map[string]any{"err": "NOT_FOUND", "msg": "this host has no such endpoint"}}
		}))
	}
	t.pageRoutes(r)
	t.controlRoutes(r)
	t.consoleRoutes(r)
	return r
}

// api wraps an endpoint with everything that all endpoints share: credentials,
// decoding, the record of requests, faults.
func (t *Simulator) api(role, name string, fn endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		kept := t.calls.Add(record.Request{At: t.now().UTC(), Method: r.Method, Path: r.URL.Path, Role: role, Endpoint: name})
		status, plan, said := 0, fault.Plan(nil), map[string]any(nil)
		defer func() { // also when a fault drops the connection
			t.calls.Finish(kept, status, said, plan.Kinds())
			t.log.Info().Str("provider", "smartcore").Str("role", role).Str("endpoint", name).Int("status", status).
				Int("faults", len(plan)).Dur("took", time.Since(start)).Msg("api request")
		}()
		reply := func(a answer) {
			if a.status == 0 {
				a.status = http.StatusOK
			}
			raw, kind := a.raw, a.kind
			if raw == nil {
				raw, _ = json.Marshal(a.body) // plain values cannot fail
				kind = "application/json"
			}
			said = a.body
			status = plan.After(r.Context(), w, a.status, kind, raw)
		}
		m := t.merchant(r)
		if m == nil {
			w.Header().Set("WWW-Authenticate", `Basic realm="SmartCore simulator"`)
			reply(answer{status: http.StatusUnauthorized, body: map[string]any{"err": "UNAUTHORIZED", "msg": "wrong merchant key or secret"}})
			return
		}
		c := &call{merchant: m, role: role, endpoint: name, base: t.baseURL(r), task: chi.URLParam(r, "task")}
		if r.Method == http.MethodPost {
			var bad *answer
			if c.body, bad = decode(w, r); bad != nil {
				reply(*bad)
				return
			}
			t.calls.Describe(kept, c.body.text("order_id"), c.body)
		}
		t.startRecipe(c)
		plan = t.faults.Take(name, c.body.text("order_id"), fault.HTTP...)
		var done bool
		if status, done = plan.Before(r.Context(), w); done {
			return
		}
		a := t.rejectCardData(c)
		if a == nil {
			got := fn(t, c)
			a = &got
		}
		if a.made != nil {
			t.beforeAnswer(context.WithoutCancel(r.Context()), name, a.made)
		}
		reply(*a)
	}
}

// rejectCardData keeps card data off the hosts that must not see it.
func (t *Simulator) rejectCardData(c *call) *answer {
	if c.role == rolePCI {
		return nil
	}
	for _, key := range cardKeys {
		if c.body.has(key) {
			a := t.invalid(c, "card data is accepted on the pci host only: "+key)
			return &a
		}
	}
	return nil
}

func (t *Simulator) merchant(r *http.Request) *Merchant {
	key, secret, ok := r.BasicAuth()
	m := t.merchants[key]
	if !ok || m == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if same(secret, m.Secret) || m.previous != "" && same(secret, m.previous) {
		return m
	}
	return nil
}

func same(secret, other string) bool {
	a, b := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(other))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

func decode(w http.ResponseWriter, r *http.Request) (body, *answer) {
	reject := func(status int, msg string) *answer {
		return &answer{status: status, body: map[string]any{"status": StatusFailed, "err": CodeValidation, "msg": msg}}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, reject(http.StatusUnsupportedMediaType, "content type must be application/json")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, reject(http.StatusBadRequest, "body cannot be read")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var b body
	if err := dec.Decode(&b); err != nil || b == nil {
		return nil, reject(http.StatusBadRequest, "body must be one JSON object")
	}
	if _, err := dec.Token(); err != io.EOF { //nolint:errorlint // the decoder returns io.EOF itself
		return nil, reject(http.StatusBadRequest, "body must be one JSON object")
	}
	return b, nil
}

// blank is the body of an answer of an endpoint with every documented field absent.
func blank(endpoint string) map[string]any {
	var keys []string
	switch endpoint {
	case "initPayment":
		keys = []string{"ACSUrl", "MD", "TermUrl", "form_url", "order_id", "responseType"}
	case "initPaymentHost2Host", "authorize":
		keys = []string{
			"form_url", "threeDSMethodData", "order_id", "stage", "endDate", "responseType", "err", "msg",
			"paReq", "creq", "md", "termUrl", "acsurl",
		}
	case "withdrawal/tokenize-form":
		keys = []string{"form_url", "threeDSMethodData", "order_id", "stage", "endDate", "responseType", "err", "msg"}
	case "withdrawal/init":
		keys = []string{"order_id", "err", "msg"}
	case "refund":
		keys = []string{"refund_id", "parentTransaction"}
	case "recurrent":
		keys = []string{"payment_id", "err"}
	}
	out := map[string]any{}
	for _, k := range keys {
		out[k] = nil
	}
	return out
}

// rejected is an answer that says that the call itself failed.
func (t *Simulator) rejected(c *call, code, msg string) answer {
	out := blank(c.endpoint)
	out["status"], out["err"] = StatusFailed, code
	if id := c.body.text("order_id"); id != "" && c.endpoint != "refund" && c.endpoint != "recurrent" {
		out["order_id"] = id
	}
	switch c.endpoint {
	case "initPayment":
		out["description"] = msg
	case "refund", "recurrent":
		out["success"], out["message"] = false, msg
	default:
		out["msg"], out["description"] = msg, msg
	}
	return answer{body: out}
}

func (t *Simulator) invalid(c *call, complaints ...string) answer {
	a := t.rejected(c, CodeValidation, strings.Join(complaints, "; "))
	a.status = t.Settings().ValidationStatus
	return a
}

// hostAllowed applies a setting whose value is gateway, pci or both.
func hostAllowed(setting, role string) bool { return slices.Contains([]string{role, "both"}, setting) }
