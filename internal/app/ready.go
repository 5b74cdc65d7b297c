package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"
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

// readyFile is where a folder says so. A 'dev' that is stopped removes it; one that was killed leaves it.
func readyFile(folder string) string { return filepath.Join(folder, "dev.json") }

// readReady reads where the 'dev' of a folder runs, or ran when it was killed.
func readReady(folder string) (r Ready, err error) {
	text, err := os.ReadFile(readyFile(folder)) //nolint:gosec // in the developer's own folder
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("no 'server dev' runs here: there is no %s", readyFile(folder))
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read where 'server dev' runs: %w", err)
	}
	return r, nil
}

// runningReady is readReady of a 'dev' that runs.
func runningReady(ctx context.Context, folder string) (Ready, error) {
	r, err := readReady(folder)
	if err != nil {
		return r, err
	}
	at, err := url.Parse(r.Admin)
	if err != nil {
		return r, fmt.Errorf("read where 'server dev' runs: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return r, fmt.Errorf("the 'server dev' that %s names is gone: nobody answers at %s", readyFile(folder), r.Admin)
	}
	return r, conn.Close()
}

// devHere is where the 'dev' of this folder runs or ran, or where one runs without flags. Commands talk to it unless they are told otherwise.
func devHere() Ready {
	r, _ := readReady(devFolder) // there may be none
	r.API, r.Sandbox = cmp.Or(r.API, "http://127.0.0.1:8080"), cmp.Or(r.Sandbox, "http://127.0.0.1:8090")
	return r
}
