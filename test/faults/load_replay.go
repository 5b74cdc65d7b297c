package faults

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// replay sends every request that was answered with an order once more, with its Idempotency-Key; without it where the
// answer could not be kept, and the key is still claimed. Then it sends other requests under the same key and reference.
func (s *shopper) replay(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, a := range s.answers {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			key := a.key
			for range 5 {
				status, v, err := s.once(ctx, http.MethodPost, a.path, key, a.body)
				if v.Code == "idempotency_in_progress" {
					key = ""
					continue
				}
				if err == nil && status != http.StatusServiceUnavailable {
					a.ReplayStatus, a.Replayed, a.Verbatim, a.Changed = status, v.ID, v.Replayed, v.Replayed && v.Text != a.text
					s.differ(ctx, a)
					return
				}
				wait(ctx, 300*time.Millisecond)
			}
			a.ReplayStatus = http.StatusServiceUnavailable
		})
	}
	wg.Wait()
}

// differ sends what is not the acknowledged request under its key, where the first answer was kept for it, and under its
// reference.
func (s *shopper) differ(ctx context.Context, a *asked) {
	var body map[string]any
	if json.Unmarshal([]byte(a.body), &body) != nil || body["reference"] == nil {
		return // an import names no reference
	}
	body["reference"] = a.Reference + "-other"
	if a.Verbatim {
		a.OtherBody = s.refusal(ctx, a.path, a.key, body)
	}
	body["reference"] = a.Reference
	if minor, ok := body["amount"].(float64); ok && minor > 1 {
		body["amount"] = minor - 1
		a.OtherOrder = s.refusal(ctx, a.path, "", body)
	}
}

// refusal sends a request and returns the code that it was refused with, "accepted", or "" if nobody was there to answer.
func (s *shopper) refusal(ctx context.Context, path, key string, body any) string {
	text, err := json.Marshal(body)
	if err != nil {
		return ""
	}
	for range 5 {
		switch status, v, err := s.once(ctx, http.MethodPost, path, key, string(text)); {
		case err != nil, status >= 500, status == http.StatusTooManyRequests:
		case status < 300:
			return accepted
		default:
			return v.Code
		}
		wait(ctx, 300*time.Millisecond)
	}
	return ""
}

// workbook reports whether a statement's file can be read and is a zip file, as a workbook is.
func (s *shopper) workbook(ctx context.Context, id string) bool {
	for range 5 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.replicas[int(s.turn.Add(1))%len(s.replicas)]+"/v1/statements/"+id+"/file", nil)
		if err != nil {
			return false
		}
		req.Header.Set("Authorization", "Bearer "+s.key)
		if res, err := s.client.Do(req); err == nil {
			text, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
			_ = res.Body.Close()
			if err == nil && res.StatusCode == http.StatusOK {
				_, err = zip.NewReader(bytes.NewReader(text), int64(len(text)))
				return err == nil
			}
		}
		wait(ctx, 300*time.Millisecond)
	}
	return false
}
