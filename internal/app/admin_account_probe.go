package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/transport"
	"payrelay/internal/payment"
	"payrelay/internal/plural"
	"payrelay/internal/store"
)

type accountTestCmd struct {
	Name   string `arg:"" help:"The account."`
	Staged bool   `help:"With the staged secrets."`
	JSON   bool   `name:"json" help:"Print JSON."`
	reasonFlag
}

// Run implements the command. It asks the provider about an order that does not exist: that moves no money. What came of it is kept
// in the audit log.
func (c accountTestCmd) Run(ctx context.Context, io *Streams) error {
	db, err := operate(ctx, io, c.Reason)
	if err != nil {
		return err
	}
	defer db.close()
	a, err := accountNamed(ctx, db.store, c.Name)
	if err != nil {
		return err
	}
	if c.Staged {
		if len(a.Staged) == 0 {
			return fmt.Errorf("no secret of %s is staged: 'server account secret stage' does that", c.Name)
		}
		a = store.WithStaged(a)
	}
	checks, err := checkAccount(ctx, io, a, db.demo)
	if err != nil {
		return err
	}
	test := store.AccountTest{Passed: passed(checks), Staged: c.Staged, Checks: checks}
	if err := db.store.KeepAccountTest(ctx, c.Name, test); err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(io, test)
	} else {
		err = printChecks(io, checks)
	}
	if err == nil && !test.Passed {
		err = fmt.Errorf("the test of %s did not pass: %s", c.Name, strings.Join(unproven(checks), "; "))
	}
	return err
}

// unproven are the details of the checks for which a test did not pass.
func unproven(checks []store.AccountCheck) (details []string) {
	for _, c := range checks {
		if c.Result == store.CheckFailed || c.Check == checkCredentials && c.Result != store.CheckPassed {
			details = append(details, c.Check+": "+c.Detail)
		}
	}
	return details
}

func printChecks(io *Streams, checks []store.AccountCheck) error {
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CHECK\tRESULT\tHOST\tDETAIL")
	for _, c := range checks {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Check, c.Result, orNone(c.Host), c.Detail)
	}
	return w.Flush()
}

// passed reports whether a test passed: no check failed, and the credentials are proven.
func passed(checks []store.AccountCheck) bool {
	proven := false
	for _, c := range checks {
		if c.Result == store.CheckFailed {
			return false
		}
		proven = proven || c.Check == checkCredentials && c.Result == store.CheckPassed
	}
	return proven
}

// The checks of an account.
const (
	checkName        = "name"
	checkTLS         = "tls"
	checkClock       = "clock"
	checkCredentials = "credentials"
	checkSignature   = "signature"
)

// clockTolerance is how far a clock may be off. UAPAY declines what is signed 20 s off its own time.
const clockTolerance = 10 * time.Second

// checkAccount checks each host of an account, and then its secrets.
func checkAccount(ctx context.Context, io *Streams, a payment.Account, demo bool) ([]store.AccountCheck, error) {
	config, err := commandConfig(io)
	if err != nil {
		return nil, err
	}
	providers, err := commandDrivers(io, demo)
	if err != nil {
		return nil, err
	}
	driver, err := providers.Driver(a.Provider)
	if err != nil {
		return nil, err
	}
	gw, err := driver.Open(gatewayAccount(a))
	if err != nil {
		return nil, err
	}
	var checks []store.AccountCheck
	for _, host := range hostsOf(driver, a) {
		probe, err := config.probe(ctx, a.Provider, host.address)
		checks = append(checks, hostChecks(host.setting+" "+host.address, probe, err, time.Now())...)
	}
	return append(checks, secretChecks(ctx, gw)...), nil
}

// accountHost is an address that an account is called at, and the setting that names it.
type accountHost struct{ setting, address string }

func hostsOf(driver gateway.Driver, a payment.Account) (hosts []accountHost) {
	for _, s := range driver.Describe().Settings {
		if s.Host {
			hosts = append(hosts, accountHost{s.Name, cmp.Or(a.Settings[s.Name], s.Default)})
		}
	}
	return hosts
}

// probe looks at a host of a provider.
func (c config) probe(ctx context.Context, provider, address string) (transport.HostProbe, error) {
	calls := c.callsOf(provider)
	calls.Timeout = 10 * time.Second
	return calls.Probe(ctx, address)
}

// hostChecks says what a probe proves of a host.
func hostChecks(host string, p transport.HostProbe, err error, now time.Time) []store.AccountCheck {
	name := store.AccountCheck{Check: checkName, Host: host, Result: store.CheckPassed, Detail: plural.Of(len(p.Addresses), "address", "addresses")}
	encrypted := store.AccountCheck{Check: checkTLS, Host: host, Result: store.CheckNotProven, Detail: "the host was not reached"}
	clock := store.AccountCheck{Check: checkClock, Host: host, Result: store.CheckNotProven, Detail: "the host did not tell its time"}
	switch {
	case errors.Is(err, transport.ErrNotListed), errors.Is(err, transport.ErrNoName):
		name.Result, name.Detail = store.CheckFailed, err.Error()
	case err != nil:
		encrypted.Result, encrypted.Detail = store.CheckFailed, err.Error()
	case p.CertificateEnds.IsZero():
		encrypted.Detail = "no TLS, which only a host of this machine may do without"
	default:
		encrypted.Result, encrypted.Detail = store.CheckPassed, plural.Of(int(p.CertificateEnds.Sub(now).Hours()/24), "day", "days")+" left"
	}
	if p.ClockKnown {
		clock.Result, clock.Detail = store.CheckPassed, "this machine and the host differ by "+p.Ahead.Abs().String()
		if p.Ahead.Abs() > clockTolerance {
			clock.Result = store.CheckFailed
		}
	}
	return []store.AccountCheck{name, encrypted, clock}
}

// secretChecks makes a call that needs the account's secrets and changes nothing: only the answer that there is no such order proves
// that they are right.
func secretChecks(ctx context.Context, gw gateway.Gateway) []store.AccountCheck {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err := gw.Fetch(ctx, gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpSale, Flow: gateway.FlowHosted, OrderID: "test-" + uuid.NewString()})
	credentials := store.AccountCheck{Check: checkCredentials, Result: store.CheckNotProven}
	signature := store.AccountCheck{Check: checkSignature, Result: store.CheckNotProven, Detail: "this provider signs callbacks only: the first one proves it"}
	signer, ok := gw.(gateway.AnswerVerifier)
	verifies := ok && signer.VerifiesAnswers()
	if ok {
		signature.Detail = "no signed answer came"
		if !verifies {
			signature.Detail = "the setting require_signed_answers is false"
		}
	}
	e, _ := errors.AsType[*gateway.Error](err)
	switch kind := gateway.KindOf(err); {
	case err == nil:
		credentials.Detail = "the provider knows an order that was never made"
	case kind == gateway.KindNotFound:
		credentials.Result, credentials.Detail = store.CheckPassed, "the provider takes the secrets"
		if verifies {
			signature.Result, signature.Detail = store.CheckPassed, "the answer is signed with the account's key"
		}
	case e != nil && e.Code == gateway.CodeNotSigned:
		credentials.Detail = "the answer is not to be believed"
		signature.Result, signature.Detail = store.CheckFailed, err.Error()
	case kind == gateway.KindCredentials:
		credentials.Result, credentials.Detail = store.CheckFailed, "the provider refuses the secrets: "+err.Error()
	default:
		credentials.Detail = "the provider did not answer the question: " + err.Error()
	}
	return []store.AccountCheck{credentials, signature}
}
