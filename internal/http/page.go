package httpapi

import (
	"cmp"
	"encoding/base64"
	"slices"

	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// pageOf cuts a page out of a short list that is read whole, in the order of its items' unique keys. The cursor is the key
// of the last item before the page, so an item that comes or goes moves no other.
func pageOf[T any](all []T, key func(T) string, cursor *oapi.Cursor, most *oapi.Limit) (payment.Page[T], error) {
	var page payment.Page[T]
	all = slices.SortedFunc(slices.Values(all), func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	if cursor != nil {
		last, err := base64.RawURLEncoding.DecodeString(*cursor)
		if err != nil {
			return page, payment.ErrCursor
		}
		all = all[sortedAfter(all, key, string(last)):]
	}
	n := min(limit(most), len(all))
	page.Items = all[:n]
	if n < len(all) {
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(key(all[n-1])))
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

// limit is how many items a page holds at most.
func limit(l *oapi.Limit) int {
	if l == nil {
		return 50
	}
	return *l
}
