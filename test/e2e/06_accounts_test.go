package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What an account does not list among its capabilities is refused, and not asked of a provider that answers nothing else.
func TestAccountsListWhatTheyCanDo(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	type account struct {
		Name, Currency string
		Capabilities   []string
	}
	var all, page struct {
		Data []account
		Next string `json:"next_cursor"`
	}
	d.call(http.MethodGet, "/v1/accounts", "", &all)
	var paged []account
	for query := "?limit=1"; ; query = "?limit=1&cursor=" + page.Next {
		page.Data, page.Next = nil, ""
		d.call(http.MethodGet, "/v1/accounts"+query, "", &page)
		require.Len(t, page.Data, 1)
		paged = append(paged, page.Data...)
		if page.Next == "" {
			break
		}
		require.LessOrEqual(t, len(paged), len(all.Data), "it never ends")
	}
	require.Equal(t, all.Data, paged)

	for _, a := range all.Data {
		var answer struct{ Code string }
		res := d.call(http.MethodGet, "/v1/accounts/"+a.Name+"/balance", "", &answer)
		if slices.Contains(a.Capabilities, "balance") {
			require.Equal(t, http.StatusOK, res.StatusCode, a.Name)
		} else {
			require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, a.Name)
			require.Equal(t, "not_supported_by_provider", answer.Code, a.Name)
		}
		for capability, call := range map[string][2]string{
			"payout":          {"/v1/payouts", `{"reference":"c","amount":100,"account":"ACCOUNT","method":{"type":"phone","phone":"+79123456789"}}`},
			"payout_card":     {"/v1/payout-cards", `{"reference":"c","account":"ACCOUNT"}`},
			"transfer":        {"/v1/transfers", `{"reference":"c","account":"ACCOUNT","amount":100,"currency":"` + a.Currency + `","from":{"card_id":"x"},"to":{"card_id":"y"}}`},
			"transfer_import": {"/v1/transfers/import", `{"account":"ACCOUNT","provider_id":"x"}`},
			"card_frame":      {"/v1/accounts/ACCOUNT/card-frame", `{"for":"payments"}`},
		} {
			if !slices.Contains(a.Capabilities, capability) {
				put := strings.NewReplacer("ACCOUNT", a.Name)
				res := d.call(http.MethodPost, put.Replace(call[0]), put.Replace(call[1]), &answer)
				require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, "%s of %s", capability, a.Name)
				require.Contains(t, []string{"not_supported_by_provider", "unknown_account"}, answer.Code, "%s of %s", capability, a.Name)
			}
		}
	}
}
