package app

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Ready is what `dev --json` prints.
type Ready struct {
	Ready           bool   `json:"ready"`
	API             string `json:"api"`
	Admin           string `json:"admin"`
	Sandbox         string `json:"sandbox"`
	ShopKey         string `json:"shop_key"`
	WebhookSecret   string `json:"webhook_secret"`
	NotificationURL string `json:"notification_url"`
	ShopPage        string `json:"shop_page"`
	DatabaseURL     string `json:"database_url"`
}

// devFolder is where 'dev' keeps its database, and says where it runs.
const devFolder = ".payrelay"

// readReady reads where the 'dev' of a folder runs, or ran last.
func readReady(folder string) (r Ready, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "dev.json")) //nolint:gosec // in the developer's own folder
	if err != nil {
		return r, fmt.Errorf("find a running 'dev' (--data names its folder): %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read where 'dev' runs: %w", err)
	}
	return r, nil
}

// devHere is where the 'dev' of this folder runs, or where one runs without flags. Commands talk to it unless they are told otherwise.
func devHere() Ready {
	r, _ := readReady(devFolder) // there may be none
	r.API, r.Sandbox = cmp.Or(r.API, "http://127.0.0.1:8080"), cmp.Or(r.Sandbox, "http://127.0.0.1:8090")
	return r
}
