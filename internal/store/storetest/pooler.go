package storetest

import (
	"net/url"
	"os"
)

// throughPooler returns the URL of a database by way of the transaction pooler at TEST_POOLER, a host and port; without one, as it is.
func throughPooler(databaseURL string) (string, error) {
	pooler := os.Getenv("TEST_POOLER")
	if pooler == "" {
		return databaseURL, nil
	}
	u, err := url.Parse(databaseURL)
	if err != nil {
		return "", err
	}
	u.Host = pooler
	q := u.Query()
	q.Set("default_query_exec_mode", "exec")
	u.RawQuery = q.Encode()
	return u.String(), nil
}
