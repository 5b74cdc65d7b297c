package app

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway/transport"
	"payrelay/internal/store"
)

// Only a proof is passed.
func TestWhatAProbeOfAHostProves(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	good := transport.HostProbe{Addresses: []string{"192.0.2.1"}, CertificateEnds: now.Add(62*24*time.Hour + time.Minute), ClockKnown: true, Ahead: -2 * time.Second}
	for name, c := range map[string]struct {
		probe   transport.HostProbe
		err     error
		results [3]string
	}{
		"good":         {good, nil, [3]string{"passed", "passed", "passed"}},
		"not listed":   {transport.HostProbe{}, transport.ErrNotListed, [3]string{"failed", "not_proven", "not_proven"}},
		"no name":      {transport.HostProbe{}, errors.Join(transport.ErrNoName, errors.New("nxdomain")), [3]string{"failed", "not_proven", "not_proven"}},
		"refused":      {transport.HostProbe{Addresses: good.Addresses}, errors.New("connection refused"), [3]string{"passed", "failed", "not_proven"}},
		"without TLS":  {transport.HostProbe{Addresses: good.Addresses, ClockKnown: true}, nil, [3]string{"passed", "not_proven", "passed"}},
		"no time":      {transport.HostProbe{Addresses: good.Addresses, CertificateEnds: good.CertificateEnds}, nil, [3]string{"passed", "passed", "not_proven"}},
		"clock behind": {transport.HostProbe{Addresses: good.Addresses, CertificateEnds: good.CertificateEnds, ClockKnown: true, Ahead: -11 * time.Second}, nil, [3]string{"passed", "passed", "failed"}},
	} {
		var results [3]string
		checks := hostChecks("api_url https://a.example", c.probe, c.err, now)
		for i, check := range checks {
			results[i] = check.Result
			require.NotEmpty(t, check.Detail)
		}
		require.Equal(t, c.results, results, name)
	}
	require.Equal(t, "62 days left", hostChecks("a", good, nil, now)[1].Detail)
	proven := store.AccountCheck{Check: checkCredentials, Result: store.CheckPassed}
	require.True(t, passed([]store.AccountCheck{proven, {Check: checkSignature, Result: store.CheckNotProven}}))
	require.False(t, passed([]store.AccountCheck{{Check: checkCredentials, Result: store.CheckNotProven}}), "nothing is proven")
	require.False(t, passed([]store.AccountCheck{proven, {Check: checkClock, Result: store.CheckFailed}}))
}

// What a test of an account found stands in the audit log, and the last one in the lists.
func TestTheLastTestOfAnAccountIsKept(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	last := func() (test *store.AccountTest) {
		var rows []struct {
			Name     string
			LastTest *store.AccountTest `json:"last_test"`
		}
		require.NoError(t, json.Unmarshal([]byte(b.command(t, "account", "list", "--json")), &rows))
		for _, r := range rows {
			if r.Name == "EUR-1" {
				test = r.LastTest
			}
		}
		return test
	}
	require.Nil(t, last())
	require.Regexp(t, `EUR-1 .* never `, b.command(t, "account", "list"))
	dead := "http://127.0.0.1:1"
	b.command(t, "account", "set", "EUR-1", "gateway_url="+dead, "pci_url="+dead, "reporting_url="+dead)
	before := b.contents(t)
	text := b.refused(t, "account", "test", "EUR-1", "--reason", "a test")
	require.Contains(t, text, "the test of EUR-1 did not pass: tls: ")
	require.Contains(t, text, "credentials: the provider did not answer the question")
	require.Equal(t, before, b.contents(t), "it changes nothing else")
	test := last()
	require.NotNil(t, test)
	require.False(t, test.Passed)
	require.Len(t, test.Checks, 3*3+2)
	entry := b.audit(t)[len(b.audit(t))-1]
	require.Equal(t, [2]string{"account test", "a test"}, [2]string{entry.Action, entry.Reason})
	require.Contains(t, b.command(t, "account", "show", "EUR-1"), "did not pass")
	b.command(t, "account", "secret", "stage", "EUR-1", "--secret-file", secretIn(t, "next"))
	b.refused(t, "account", "test", "EUR-1", "--staged")
	require.Equal(t, test.At, last().At, "a test of staged secrets says nothing of the account as it is")
}
