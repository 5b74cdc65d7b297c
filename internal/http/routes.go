package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/routing"
)

// steps are what a call of the API passes before its endpoint, in this order: who calls is known before a byte of the body is
// read. Each stands in the file that is named.
func (s *server) steps() chi.Middlewares {
	rejected := s.metrics.rejected.WithLabelValues("api")
	return chi.Middlewares{
		s.authenticate, // authenticate.go: the key belongs to a shop
		s.authorize,    // authorize.go: the key has the operation's scope
		s.deprecated,   // deprecated.go: the caller hears what will go
		s.rate,         // rate.go: the key has not used up its rate
		s.unencoded,    // encoding.go: the body is what it looks like
		s.arrive(newBodies(bodiesOfKey, rejected)), // arrive.go: the body is here, whole or broken off
		s.admit(newGate(s.Admission, rejected)),    // admission.go: there is room to work on it
		s.deadline,                                 // deadline.go: it will end in time
		s.parseBody,                                // body.go: the body is one JSON value, parsed once
		s.idempotent,                               // idempotent.go: a repeat gets the first answer
		s.validate,                                 // validate.go: path, query and body keep to the contract
	}
}

// callbackSteps are what a provider's callback passes.
func (s *server) callbackSteps() chi.Middlewares {
	rejected := s.metrics.rejected.WithLabelValues("callbacks")
	return chi.Middlewares{
		s.callbackAccount, // authenticate.go: the address is that of an account
		s.rateOfCallbacks,
		s.unencoded,
		s.arrive(newBodies(bodiesOfAccount, rejected)),
		s.admit(newGate(s.CallbackAdmission, rejected)),
	}
}

// routes is every address that is served.
func (s *server) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(
		s.observe, // observe.go: it has an id, a log line and a place in the metrics
		s.recover, // recover.go: a panic is answered
		unread,    // unread.go: nobody waits for a body that is not wanted
		headIsGet, // head.go: a HEAD is a GET
	)
	r.NotFound(s.nothingHere(r))
	r.MethodNotAllowed(s.methodNotAllowed(r))
	r.Get("/openapi.yaml", serveContract)
	r.Get("/openapi.json", serveContractJSON)
	r.Method(http.MethodGet, "/docs", s.docs)
	r.Method(http.MethodGet, "/docs/*", s.docs)
	r.Get("/", func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/docs", http.StatusFound) })
	if s.Callbacks != nil {
		r.With(s.callbackSteps()...).Method(http.MethodPost, "/callbacks/{provider}/{token}", s.Callbacks)
	}
	r.Group(func(r chi.Router) {
		r.Use(s.steps()...)
		s.operationRoutes(r)
	})
	return r
}

// operationRoutes is every operation of the contract.
func (s *server) operationRoutes(r chi.Router) {
	post := func(path string, do endpoint) { r.Post(path, s.serve(do)) }
	get := func(path string, do endpoint) { r.Get(path, s.serve(do)) }

	post("/v1/payments", making(s.createPayment))
	post("/v1/payments/preview", taking(s.previewPayment))
	get("/v1/payments/{id}", showing(s.orderOf(gateway.KindPayment)))
	post("/v1/payments/{id}/capture", changing(s.capturePayment))
	post("/v1/payments/{id}/cancel", showing(s.Orders.Cancel))
	post("/v1/payments/{id}/confirm", changing(s.confirmPayment))
	post("/v1/payments/{id}/refunds", makingFrom(s.refundPayment))
	post("/v1/payments/{id}/charges", makingFrom(s.chargePayment))
	get("/v1/refunds/{id}", showing(s.orderOf(gateway.KindRefund)))

	get("/v1/mandates", asking(s.listMandates))
	get("/v1/mandates/{id}", mandated(s.Orders.Mandate))
	post("/v1/mandates/{id}/charges", makingFrom(s.chargePayment))
	post("/v1/mandates/{id}/pause", mandated(s.Orders.PauseMandate))
	post("/v1/mandates/{id}/resume", mandated(s.Orders.ResumeMandate))
	post("/v1/mandates/{id}/revoke", mandated(s.Orders.RevokeMandate))

	post("/v1/payouts", making(s.createPayout))
	get("/v1/payouts/{id}", showing(s.orderOf(gateway.KindPayout)))
	post("/v1/payout-cards", making(s.createPayoutCard))
	get("/v1/payout-cards/{id}", showing(s.orderOf(gateway.KindPayoutCard)))

	post("/v1/transfers", making(s.createTransfer))
	post("/v1/transfers/import", making(s.importTransfer))
	get("/v1/transfers/{id}", showing(s.orderOf(gateway.KindTransfer)))
	post("/v1/transfers/{id}/confirm", changing(s.confirmTransfer))

	get("/v1/disputes", asking(s.listDisputes))
	get("/v1/disputes/{id}", s.getDispute)
	post("/v1/disputes/{id}/resolve", taking(s.resolveDispute))

	get("/v1/orders", asking(s.listOrders))
	get("/v1/orders/{id}", showing(s.Orders.Order))
	get("/v1/orders/{id}/transitions", asking(s.listTransitions))
	get("/v1/orders/{id}/attempts", asking(s.listAttempts))
	get("/v1/orders/{id}/events", asking(s.listTransitions)) // the earlier address of transitions
	post("/v1/orders/{id}/refresh", showing(s.Orders.Refresh))
	get("/v1/events", asking(s.listNotifications))
	get("/v1/requests", asking(s.listRequests))

	get("/v1/accounts", asking(s.listAccounts))
	get("/v1/accounts/{name}/balance", s.getBalance)
	post("/v1/accounts/{name}/card-frame", taking(s.createCardFrame))
	post("/v1/statements", taking(s.createTransactionReport))
	get("/v1/statements/{id}", s.getTransactionReport)
	get("/v1/statements/{id}/rows", asking(s.listTransactionReportRows))
	get("/v1/statements/{id}/file", s.getTransactionReportFile)
}

// nothingHere answers a request to an address that is not served, and says so if a usual slip leads there.
func (s *server) nothingHere(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		detail := "There is nothing at this address."
		whole := strings.TrimRight(r.URL.Path, "/")
		if whole != r.URL.Path {
			detail += " Leave out the slash at its end."
		}
		switch {
		case len(methodsAt(routes, "/v1"+whole)) > 0:
			detail += " Put /v1 before it."
		case len(methodsAt(routes, whole)) == 0:
			if like := s.callsLike(whole); len(like) > 0 {
				detail += " Did you mean " + strings.Join(like, " or ") + "?"
			}
		}
		s.problem(w, r, problem{Status: http.StatusNotFound, Code: "not_found", Detail: detail + " GET /docs/reference lists every call."})
	}
}

// callsLike lists the calls that may be meant by an address: those that are spelled most like it. If none is, those that take an id at its
// end, or end with the same word.
func (s *server) callsLike(path string) []string {
	asked := strings.Split(path, "/")
	spelled := map[string][]string{} // by the address with its slips mended
	var others []string
	for name, o := range s.operations {
		_, route, _ := strings.Cut(name, " ")
		parts := strings.Split(route, "/")
		switch mended := mended(asked, parts); {
		case o.deprecated != nil:
		case mended != "":
			spelled[mended] = append(spelled[mended], name)
		case asked[len(asked)-1] == parts[len(parts)-1], strings.HasPrefix(route, path+"/{") && len(parts) == len(asked)+1:
			others = append(others, name)
		}
	}
	if len(spelled) > 0 {
		others = spelled[routing.Nearest(path, slices.Sorted(maps.Keys(spelled)))]
	}
	slices.Sort(others)
	return others
}

// mended is an address with each part as a route has it, "" if a part is not like that of the route. An id may be anything.
func mended(asked, route []string) string {
	if len(asked) != len(route) {
		return ""
	}
	right := slices.Clone(asked)
	for i, part := range route {
		if strings.HasPrefix(part, "{") {
			continue
		}
		if right[i] = routing.Nearest(asked[i], []string{part}); right[i] != part {
			return ""
		}
	}
	return strings.Join(right, "/")
}

// methodsAt lists the methods that an address takes.
func methodsAt(routes chi.Routes, path string) []string {
	var allow []string
	for method, names := range map[string]string{http.MethodGet: "GET, HEAD", http.MethodPost: "POST"} {
		if routes.Match(chi.NewRouteContext(), method, path) {
			allow = append(allow, names)
		}
	}
	slices.Sort(allow)
	return allow
}

func (s *server) methodNotAllowed(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		allow := strings.Join(methodsAt(routes, r.URL.Path), ", ")
		w.Header().Set("Allow", allow)
		s.problem(w, r, problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Detail: "This address does not take this method, but " + allow + ". GET /docs/reference lists every call."})
	}
}
