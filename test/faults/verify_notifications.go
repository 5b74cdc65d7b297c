package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// notices compares what each shop was notified of with the orders.
func (x indexed) notices(r *Result) {
	reported := x.reported(r)
	for order, list := range reported {
		row := x.byID[order]
		if row == nil {
			r.add(Lost, order, "the shop was notified of an order that does not exist")
			continue
		}
		for i, n := range list {
			if i > 0 && n.Sequence < list[i-1].Sequence {
				r.add(NotificationOrder, order, "notification %d came after notification %d", n.Sequence, list[i-1].Sequence)
			}
			if n.Shop != row.Shop {
				r.add(NotificationWrong, order, "another shop was notified")
			}
			if !row.was(n.Status, n.Sequence) {
				r.add(NotificationWrong, order, "notification %d says %s%s", n.Sequence, n.Status, trail(*row))
			}
		}
	}
	for i := range x.Rows {
		x.notified(r, &x.Rows[i], reported[x.Rows[i].ID])
	}
}

// reported lists the notifications of each order, as they came for the first time.
func (x indexed) reported(r *Result) map[string][]Notice {
	reported := map[string][]Notice{}
	payloads := map[string]string{}
	for _, n := range x.Notices {
		key := fmt.Sprint(n.Order, "/", n.Sequence)
		if !n.Genuine {
			r.add(NotificationWrong, n.Order, "the signature of notification %d does not hold", n.Sequence)
		}
		if first, ok := payloads[key]; ok {
			if first != n.Payload {
				r.add(NotificationWrong, n.Order, "notification %d was sent with two texts", n.Sequence)
			}
			continue // at least once is the promise
		}
		payloads[key] = n.Payload
		reported[n.Order] = append(reported[n.Order], n)
	}
	return reported
}

// notified finds transitions of an order that its shop was not notified of, and a last notification that says something else.
func (indexed) notified(r *Result, row *Row, list []Notice) {
	var missing []string
	for s := 2; s <= row.Sequence; s++ { // that it was created is the answer to the shop's own request
		if !slices.ContainsFunc(list, func(n Notice) bool { return n.Sequence == s }) {
			missing = append(missing, fmt.Sprint(s))
		}
	}
	if len(missing) > 0 {
		r.add(NotificationGap, row.ID, "the shop was not notified of transition %s of %d", strings.Join(missing, ", "), row.Sequence)
		return
	}
	if len(list) == 0 {
		return
	}
	newest := slices.MaxFunc(list, func(a, b Notice) int { return cmp.Compare(a.Sequence, b.Sequence) })
	if newest.Status != row.Status || newest.Captured != row.Captured {
		r.add(NotificationWrong, row.ID, "the last notification says %s, captured %d; the order is %s, captured %d", newest.Status, newest.Captured, row.Status, row.Captured)
	}
}
