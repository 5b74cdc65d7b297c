package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every list is read to its end in pages of one, and says the same as in one page.
func TestEveryListIsReadInPages(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for _, reference := range []string{"list-1", "list-2"} {
		d.create(reference)
	}
	id := d.create("list-3").ID
	var feed struct{ Data []json.RawMessage }
	eventually(t, func() bool { // a notification shows up a moment after its order
		feed.Data = nil
		d.call(http.MethodGet, "/v1/events", "", &feed)
		return len(feed.Data) == 3
	})
	eventually(t, func() bool { // an attempt between two pages would show on the later one
		_, text := d.raw(http.MethodGet, "/v1/orders/"+id+"/transitions", "", nil)
		return !strings.Contains(string(text), `"state":"pending"`)
	})
	for _, c := range []struct{ path, cursor string }{
		{"/v1/orders?limit=1", "cursor"},
		{"/v1/orders/" + id + "/transitions?limit=1", "cursor"},
		{"/v1/accounts?limit=1", "cursor"},
		{"/v1/events?limit=1", "cursor"},
		{"/v1/events?limit=1", "after"},
	} {
		whole, _ := d.page(c.path + "00")
		require.Greater(t, len(whole), 1, c.path)
		var paged []json.RawMessage
		for next := ""; ; {
			address := c.path
			if next != "" {
				address += "&" + c.cursor + "=" + next
			}
			items, following := d.page(address)
			require.Len(t, items, 1, address)
			paged = append(paged, items...)
			if next = following; next == "" {
				break
			}
			require.LessOrEqual(t, len(paged), len(whole), "it never ends")
		}
		require.Equal(t, texts(whole), texts(paged), c.path)
	}
}
