package httpapi

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// pageOf cuts a page out of a short list that is read whole, in the order of its items' unique keys. The cursor is the name of
// the list and the key of the last item before the page, so an item that comes or goes moves no other.
func pageOf[T any](all []T, list string, key func(T) string, cursor *oapi.Cursor, most *oapi.Limit) (payment.Page[T], error) {
	var page payment.Page[T]
	all = slices.SortedFunc(slices.Values(all), func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	if cursor != nil {
		text, err := base64.RawURLEncoding.DecodeString(*cursor)
		last, ours := strings.CutPrefix(string(text), list+" ")
		if err != nil || !ours {
			return page, payment.ErrCursor
		}
		all = all[sortedAfter(all, key, last):]
	}
	n := min(pageSize(most), len(all))
	page.Items = all[:n]
	if n < len(all) {
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(list + " " + key(all[n-1])))
	}
	return page, nil
}

// sortedAfter returns how many items have a key up to last.
func sortedAfter[T any](all []T, key func(T) string, last string) int {
	i, found := slices.BinarySearchFunc(all, last, func(item T, last string) int { return cmp.Compare(key(item), last) })
	if found {
		i++
	}
	return i
}

// pageSize is how many items a page holds at most.
func pageSize(l *oapi.Limit) int {
	if l == nil {
		return 50
	}
	return *l
}
