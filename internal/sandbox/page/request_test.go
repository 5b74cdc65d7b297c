package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhereASimulatorIsMounted(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/simulator/payment/1": "http://shop.example/simulator", "/payment/1": "http://shop.example", "/simulator/": "http://shop.example/simulator",
		"/a/b/acs/1": "http://shop.example/a/b",
	} {
		r := httptest.NewRequest(http.MethodGet, "http://shop.example"+path, nil)
		require.Equal(t, want, Base("", r, "/payment/", "/acs/"), path)
		require.Equal(t, "https://public.example/simulator", Base("https://public.example/simulator/", r, "/payment/"))
	}
	r := httptest.NewRequest(http.MethodGet, "http://shop.example/simulator/payment/1/payment/", nil)
	require.Equal(t, "/simulator", Prefix(r, "/payment/"))
}

func TestReadForm(t *testing.T) {
	t.Parallel()
	for body, fine := range map[string]bool{"a=1": true, "%": false, "a=" + strings.Repeat("x", maxForm): false} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		require.Equal(t, fine, ReadForm(w, r))
		if fine {
			require.Equal(t, "1", r.PostForm.Get("a"))
		} else {
			require.Equal(t, http.StatusBadRequest, w.Code)
		}
	}
}
