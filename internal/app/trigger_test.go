//go:build !production

package app

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"payrelay/api"
)

// The events that can be triggered, with those of which it is said why not, are those of the contract.
func TestTriggerKnowsEveryEventOfTheContract(t *testing.T) {
	t.Parallel()
	contract, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	require.NoError(t, err)
	documented := contract.Components.Schemas["Notification"].Value.Properties["type"].Value.Extensions["x-extensible-enum"]
	require.ElementsMatch(t, documented, triggerEvents())
	for event := range untriggered {
		require.Nil(t, triggers[event])
	}
}

func TestTriggerNamesTheNearestEvent(t *testing.T) {
	t.Parallel()
	require.NoError(t, checkEvent("payment.succeeded"))
	require.ErrorContains(t, checkEvent("payment.suceeded"), "did you mean payment.succeeded?")
	require.ErrorContains(t, checkEvent("refund.canceled"), "No provider cancels a refund")
	require.EqualError(t, checkEvent("nothing of the kind at all"), `there is no event "nothing of the kind at all": 'server trigger --help' lists all`)
}
