package e2e

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"payrelay/api"
)

// Every event of the contract can be made to happen, or it is said why not.
func TestTriggerMakesEveryEvent(t *testing.T) {
	t.Parallel()
	d := startDev(t) // the simulators take their usual time: a callback that is quicker than an answer leaves out what the answer says
	contract, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	require.NoError(t, err)
	events, ok := contract.Components.Schemas["Notification"].Value.Properties["type"].Value.Extensions["x-extensible-enum"].([]any)
	require.True(t, ok)
	trigger := func(t *testing.T, event string) {
		t.Helper()
		code, out, text := command([]string{"PAYRELAY_KEY=" + d.ShopKey}, "trigger", event, "--url", d.API, "--sandbox", d.Sandbox)
		if strings.Contains(text, "cannot be triggered") {
			require.Equal(t, 1, code)
			require.Contains(t, []string{"payment.imported", "refund.canceled", "payout_card.canceled"}, event)
			return
		}
		require.Zero(t, code, "%s", text)
		require.Regexp(t, `^`+event+`  order [0-9a-f-]{36}\n$`, out)
	}
	// These lose the next answer of an endpoint, whoever asks it.
	alone := map[string]bool{"refund.unknown": true, "payout_card.unknown": true}
	for event := range alone {
		trigger(t, event)
	}
	t.Run("at once", func(t *testing.T) { //nolint:paralleltest // waits for its parts
		for _, e := range events {
			if event, _ := e.(string); !alone[event] {
				t.Run(event, func(t *testing.T) {
					t.Parallel()
					trigger(t, event)
				})
			}
		}
	})
}

func TestTriggerSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for want, args := range map[string][]string{
		`there is no event "payment.suceeded": did you mean payment.succeeded?`:         {"payment.suceeded"},
		"the simulators do not answer at http://127.0.0.1:1":                            {"payment.succeeded", "--url", d.API, "--sandbox", "http://127.0.0.1:1"},
		"what answers at " + d.API + " is not the simulators: name them with --sandbox": {"payment.succeeded", "--url", d.API, "--sandbox", d.API},
		"nobody listens at http://127.0.0.1:1":                                          {"payment.succeeded", "--url", "http://127.0.0.1:1"},
	} {
		code, _, text := command(nil, append([]string{"trigger"}, args...)...)
		require.Equal(t, 1, code)
		require.Contains(t, text, want)
	}
}
