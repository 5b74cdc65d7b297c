package faults

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// attempts asks for the attempts of the shop's payments. One that cannot be had is missing.
func (s *shopper) attempts(ctx context.Context, rows []Row) map[string][]Attempt {
	all := map[string][]Attempt{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, row := range rows {
		if row.Shop != s.name || row.Kind != "payment" {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if list := s.attemptsOf(ctx, row.ID); list != nil {
				mu.Lock()
				defer mu.Unlock()
				all[row.ID] = list
			}
		})
	}
	wg.Wait()
	return all
}

// attemptsOf asks for the attempts of one payment, nil if they cannot be had.
func (s *shopper) attemptsOf(ctx context.Context, id string) []Attempt {
	for range 5 {
		status, v, err := s.once(ctx, http.MethodGet, "/v1/orders/"+id+"/attempts", "", "")
		var list struct{ Data []Attempt }
		if err == nil && status == http.StatusOK && json.Unmarshal([]byte(v.Text), &list) == nil {
			return list.Data
		}
		wait(ctx, 300*time.Millisecond)
	}
	return nil
}
