package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTransfers(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.makes("/v1/transfers", transfer("t-1", uahSuccess), http.StatusCreated)
	require.Equal(t, "transfer", o.Kind)
	d.await(o.ID, "succeeded")
	repeated := d.makes("/v1/transfers", transfer("t-1", uahSuccess), http.StatusOK)
	require.Equal(t, o.ID, repeated.ID)
	d.refuses("/v1/transfers", transfer("t-1", uahChallenge), http.StatusConflict, "reference_conflict")

	o = d.makes("/v1/transfers", transfer("t-2", uahReject), http.StatusCreated)
	require.Equal(t, "failed", d.await(o.ID, "failed").Status)
	require.Zero(t, d.textsHolding(uahSuccess), "no card number is stored")
}

func TestATransferWithACode(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.makes("/v1/transfers", transfer("t-1", uahLookup), http.StatusCreated)
	o = d.ends(o.ID, "requires_action")
	require.Equal(t, "confirm_code", o.NextAction.Type)
	p := d.refuses("/v1/transfers/"+o.ID+"/confirm", `{"code":"000000"}`, http.StatusUnprocessableEntity, "wrong_code")
	require.Contains(t, p.Detail, "2 attempts")
	d.refuses("/v1/payments/"+o.ID+"/confirm", `{"code":"123456"}`, http.StatusNotFound, "not_found")
	d.makes("/v1/transfers/"+o.ID+"/confirm", `{"code":"123456"}`, http.StatusOK)
	d.await(o.ID, "succeeded")
	d.refuses("/v1/transfers/"+o.ID+"/confirm", `{"code":"123456"}`, http.StatusConflict, "invalid_state")
}

func TestATransferIsImported(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	own := d.makes("/v1/transfers", transfer("t-1", uahSuccess), http.StatusCreated)
	d.ends(own.ID, "succeeded")
	var known struct {
		ProviderReference string `json:"provider_reference"`
	}
	d.call(http.MethodGet, "/v1/transfers/"+own.ID, "", &known)
	body := fmt.Sprintf(`{"account":"UAH-sandbox-p2p","provider_id":%q}`, known.ProviderReference)
	require.Equal(t, own.ID, d.makes("/v1/transfers/import", body, http.StatusOK).ID, "its own is known already")
	d.refuses("/v1/transfers/import", `{"account":"UAH-sandbox-p2p","provider_id":"0193f0a2-6d1c-7c7b-9d53-0f6f1c2b7a10"}`, http.StatusNotFound, "not_found")
	d.refuses("/v1/transfers/import", `{"account":"EUR-sandbox-payout","provider_id":"x"}`, http.StatusUnprocessableEntity, "not_supported_by_provider")

	// Another shop that shares the account learns nothing of it.
	other := d.otherShop()
	d.operator("account", "link", "UAH-sandbox-p2p", "--shop", "other")
	d.problem(http.MethodPost, "/v1/transfers/import", body, other, http.StatusNotFound, "not_found")
}

// What a bank knows of the card must not come to rest in clear, with either provider.
func TestABanksFormIsNowhereInClear(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.makes("/v1/transfers", transfer("t-1", uahChallenge), http.StatusCreated)
	o = d.ends(o.ID, "requires_action")
	require.Equal(t, "post_form", o.NextAction.Type)
	form := o.NextAction.Fields["PaReq"]
	require.NotEmpty(t, form)
	eventually(t, func() bool { return len(d.notified(o.ID)) > 0 })
	require.Zero(t, d.columnsHolding(form))
	for version, field := range map[string]string{"3ds1": "PaReq", "3ds2": "creq"} {
		d.settings(map[string]any{"three_ds": version})
		o := d.makes("/v1/payments", direct("form-"+version, 1000, cardMethod(cardChallenge), ""), http.StatusCreated)
		require.Equal(t, "requires_action", o.Status)
		require.NotEmpty(t, o.NextAction.Fields[field])
		require.Zero(t, d.columnsHolding(o.NextAction.Fields[field]), version)
	}
}
