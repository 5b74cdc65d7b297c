package kit

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestAccountNamesEveryProblem(t *testing.T) {
	t.Parallel()
	known := gateway.Description{
		Settings: []gateway.Setting{{Name: "url", Default: "https://api.example"}, {Name: "mode", Default: "a"}},
		Secrets:  []gateway.Setting{{Name: "key"}},
	}
	a := Read(gateway.Account{Secrets: map[string]gateway.Secret{"key": "k"}}, known)
	require.Equal(t, "https://api.example", a.URL("url"))
	require.Equal(t, "a", a.OneOf("mode", "a", "b"))
	require.Equal(t, "k", a.Secret("key"))
	require.NoError(t, a.Err())

	a = Read(gateway.Account{Settings: map[string]string{"url": "http://api.example", "mode": "c", "other": "x"}}, known)
	a.URL("url")
	a.OneOf("mode", "a", "b")
	a.Secret("key")
	require.EqualError(t, a.Err(), strings.Join([]string{
		`unknown setting "other"`, "url: https is required, except to loopback hosts", "mode: use a or b", "secret key is missing",
	}, "\n"))
}

func TestMayOpen(t *testing.T) {
	t.Parallel()
	const far, near = "https://api.example", "http://127.0.0.1:8080"
	for address, want := range map[string][2]bool{
		"https://bank.example/x": {true, true}, "http://localhost/x": {false, true}, "http://bank.example/x": {false, false},
		"https://user@bank.example": {false, false}, "/x": {false, false}, "javascript:alert(1)": {false, false},
	} {
		require.Equal(t, want, [2]bool{MayOpen(address, far), MayOpen(address, near)}, address)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	var v struct {
		A, B, C, D Text
		N, M, O    Number
	}
	require.NoError(t, json.Unmarshal([]byte(`{"A":"x","B":1.50,"C":true,"D":null,"N":"12","M":"","O":-3}`), &v))
	require.Equal(t, []Text{"x", "1.50", "true", ""}, []Text{v.A, v.B, v.C, v.D})
	require.Equal(t, []Number{{12, true}, {}, {-3, true}}, []Number{v.N, v.M, v.O})
	require.Nil(t, v.M.Pointer())
	require.True(t, v.O.Is(-3))
	require.Error(t, json.Unmarshal([]byte(`{"A":{}}`), &v))
	require.Error(t, json.Unmarshal([]byte(`{"N":1.5}`), &v))
}

func TestStoredTextHoldsNoSecret(t *testing.T) {
	t.Parallel()
	require.Equal(t, "id *** of ***", Redactor{"", "swordfish", "123"}.Text("id swordfish\n of 123"))
	require.NotContains(t, Redactor(nil).Text("card 4111111111111111"), "4111111111111111")
	require.Len(t, Redactor(nil).Text(strings.Repeat("x", 300)), 100)
}
