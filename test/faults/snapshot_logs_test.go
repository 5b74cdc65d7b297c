package faults

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScanFindsWhatNoFaultExcuses(t *testing.T) {
	t.Parallel()
	found, unkept, err := scan("log", strings.NewReader(`{"level":"info","message":"callback","status":200}
{"level":"error","message":"callback","status":503,"cause":"service_unavailable","error":"down"}
{"level":"error","message":"callback","status":503,"cause":"","error":"rows"}
{"level":"error","message":"a status poll could not be written down; the order is asked about again","error":"service_unavailable: down"}
{"level":"error","message":"a status poll could not be written down; the order is asked about again","error":"changed 0 rows"}
{"level":"error","message":"due checks cannot be queued; trying on","error":"changed 0 rows"}
faultpoint: killed at order-written
{"level":"error","message":"the answer could not be kept for its Idempotency-Key","request_id":"r-1","time":"2026-11-21T12:00:07Z","error":"service_unavailable: down"}
{"level":"error","message":"the answer could not be kept for its Idempotency-Key","request_id":"r-3","time":"2026-11-21T12:01:00Z","error":"service_unavailable: down"}
{"level":"error","message":"the answer could not be kept for its Idempotency-Key","request_id":"r-2","error":"the claim on the key is gone"}
panic: oops
`), []Injection{{Name: "db_cut", From: at, To: at.Add(time.Second), Database: true}, {Name: "storm", From: at.Add(time.Minute), To: at.Add(time.Minute)}})
	require.NoError(t, err)
	var what []string
	for _, c := range found {
		what = append(what, c.What)
	}
	require.Equal(t, []string{
		"callback: rows", "a status poll could not be written down; the order is asked about again: changed 0 rows",
		"due checks cannot be queued; trying on: changed 0 rows",
		"the answer could not be kept for its Idempotency-Key: service_unavailable: down", // and no fault had hit the database
		"the answer could not be kept for its Idempotency-Key: the claim on the key is gone", "panic: oops",
	}, what)
	require.Equal(t, []string{"r-1"}, unkept)
}
