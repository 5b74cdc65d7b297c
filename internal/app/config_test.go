package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var enough = []string{"DATABASE_URL=postgres://localhost/payrelay", "SECRET_KEYSET=x", "PUBLIC_URL=https://pay.example.com"}

func TestNumbersOutOfRangeAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		good, bad []string
		says      string
	}{
		"DATABASE_POOL":    {good: []string{"2", "1000", ""}, bad: []string{"-1", "0", "1", "1001"}, says: "from 2 to 1000"},
		"WORKERS":          {good: []string{"1", "1000", ""}, bad: []string{"-1", "0", "1001"}, says: "from 1 to 1000"},
		"CALLBACK_RATE":    {good: []string{"1", "100000", ""}, bad: []string{"0", "-1", "100001"}, says: "from 1 to 100000"},
		"MAX_CONNECTIONS":  {good: []string{"64", "1000000", ""}, bad: []string{"0", "63", "1000001"}, says: "from 64 to 1000000"},
		"PROVIDER_TIMEOUT": {good: []string{"1s", "2m", ""}, bad: []string{"-30s", "0s", "999ms", "2m1s"}, says: "from 1s to 2m"},
		"DRAIN_DELAY":      {good: []string{"0s", "5m", ""}, bad: []string{"-1s", "6m"}, says: "from 0s to 5m"},
		"SHUTDOWN_TIMEOUT": {good: []string{"1s", "10m", ""}, bad: []string{"-1s", "0s", "11m"}, says: "from 1s to 10m"},
		"VISIBILITY_DELAY": {good: []string{"0s", "1s", "24h", ""}, bad: []string{"-1s", "25h"}, says: "from 0s to 24h"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, value := range c.good {
				_, err := loadConfig(append(enough[:len(enough):len(enough)], name+"="+value))
				require.NoError(t, err, value)
			}
			for _, value := range c.bad {
				_, err := loadConfig(append(enough[:len(enough):len(enough)], name+"="+value))
				require.ErrorContains(t, err, name+" must be "+c.says, value)
			}
			_, err := loadConfig(append(enough[:len(enough):len(enough)], name+"=many"))
			require.ErrorContains(t, err, name+" is not a valid")
			require.Equal(t, 1, strings.Count(err.Error(), name), "one problem, said once")

			_, help, found := strings.Cut(describeConfig(), "\n  "+name+" (")
			require.True(t, found)
			note, _, _ := strings.Cut(help, ")")
			require.Contains(t, note, c.says)
		})
	}
	_, err := loadConfig(append(enough[:len(enough):len(enough)], "WORKERS=0", "DATABASE_POOL=5000", "PROVIDER_TIMEOUT=soon"))
	for _, want := range []string{"WORKERS must", "DATABASE_POOL must", "PROVIDER_TIMEOUT is not"} {
		require.ErrorContains(t, err, want, "all at once")
	}
}

// What is wrong with a variable is said once, with what would be right.
func TestAWrongVariableSaysWhatIsRight(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"DRAIN_DELAY=10":              "DRAIN_DELAY is not a valid duration, such as 10s",
		"WORKERS=many":                "WORKERS is not a valid number, such as 50",
		"REQUEST_LOG=yes":             "REQUEST_LOG must be true or false",
		"RETENTION=maybe":             "RETENTION must be true or false",
		"LISTEN_ADDR=8080":            "LISTEN_ADDR must be an address to listen at, such as :8080 or 127.0.0.1:9090",
		"ADMIN_ADDR=8080":             "ADMIN_ADDR must be an address to listen at, such as :8080 or 127.0.0.1:9090",
		"ADMIN_ADDR=:":                "ADMIN_ADDR must be an address",
		"ADMIN_ADDR=127.0.0.1:70000":  "ADMIN_ADDR must be an address",
		"ADMIN_ADDR=:8080":            "LISTEN_ADDR and ADMIN_ADDR are the same address",
		"ADMIN_ADDR=127.0.0.1:8080":   "LISTEN_ADDR and ADMIN_ADDR are the same address",
		"LISTEN_ADDR=localhost:9090":  "LISTEN_ADDR and ADMIN_ADDR are the same address",
		"LISTEN_ADDR=0.0.0.0:9090":    "LISTEN_ADDR and ADMIN_ADDR are the same address",
		"SECRET_KEYSET_FILE=/nowhere": "SECRET_KEYSET_FILE cannot be read",
		"SECRET_KEYSET_COMMAND=false": "SECRET_KEYSET_COMMAND failed",
	} {
		environ := enough
		if strings.HasPrefix(given, "SECRET_KEYSET") {
			environ = []string{enough[0], enough[2], "SECRET_KEYSET="}
		}
		_, problems := readConfig(append(environ[:len(environ):len(environ)], given))
		require.Len(t, problems, 1, given)
		require.Contains(t, problems[0], want)
	}
	for _, good := range []string{"LISTEN_ADDR=192.0.2.1:9090", "LISTEN_ADDR=[::]:8081", "ADMIN_ADDR=127.0.0.1:http", "ADMIN_ADDR=127.0.0.1:0"} {
		_, problems := readConfig(append(enough[:len(enough):len(enough)], good))
		require.Empty(t, problems, good)
	}
}

func TestAMisspeltVariableIsNoticed(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"DRAIN_DELY is no variable of this program: did you mean DRAIN_DELAY?",
		"PROVIDER_HOST is no variable of this program: did you mean PROVIDER_HOSTS?",
		"SECRET_KEYSET_FIEL is no variable of this program: did you mean SECRET_KEYSET_FILE?",
		"workers is no variable of this program: did you mean WORKERS?",
	}, misspelt([]string{"DRAIN_DELY=1s", "PROVIDER_HOST=x", "SECRET_KEYSET_FIEL=x", "workers=1"}))
	require.Empty(t, misspelt(append([]string{
		"PATH=/bin", "HOME=/", "HOSTNAME=a", "LOGNAME=a", "USER=a", "PORT=80", "PWD=/", "SHLVL=1", "LANG=C", "PROFILE=a", "PGHOST=a", "PAYRELAY_KEY=a", "WORKDIR=/", "WORKERS=2",
		"RETENTION_CALLS=180", "DATABASE_URL_FILE=a", "KUBERNETES_SERVICE_HOST=a", "GOMEMLIMIT=1GiB",
	}, enough...)))
}

// TestTheClientsAddressHasOneSource holds that a header is listened to only from proxies that somebody named.
func TestTheClientsAddressHasOneSource(t *testing.T) {
	t.Parallel()
	for _, good := range [][]string{
		nil,
		{"TRUSTED_PROXIES=10.0.0.0/8"},
		{"CLIENT_ADDRESS=peer"},
		{"CLIENT_ADDRESS=forwarded", "TRUSTED_PROXIES=10.0.0.0/8,2001:db8::/32"},
		{"CLIENT_ADDRESS=x-forwarded-for", "TRUSTED_PROXIES=192.0.2.7/32"},
		{"CLIENT_ADDRESS=proxy-protocol", "TRUSTED_PROXIES=192.0.2.7/32"},
	} {
		_, err := loadConfig(append(enough[:len(enough):len(enough)], good...))
		require.NoError(t, err, good)
	}
	for _, bad := range [][]string{
		{"CLIENT_ADDRESS=x-forwarded-for"},
		{"CLIENT_ADDRESS=forwarded"},
		{"CLIENT_ADDRESS=proxy-protocol"},
		{"CLIENT_ADDRESS=x-real-ip", "TRUSTED_PROXIES=10.0.0.0/8"},
		{"CLIENT_ADDRESS=forwarded", "TRUSTED_PROXIES=10.0.0.1"},
		{"TRUSTED_PROXIES=all"},
		{"CLIENT_ADDRESS=x-forwarded-for,forwarded", "TRUSTED_PROXIES=10.0.0.0/8"},
	} {
		_, err := loadConfig(append(enough[:len(enough):len(enough)], bad...))
		require.ErrorContains(t, err, "CLIENT_ADDRESS and TRUSTED_PROXIES do not fit", bad)
	}
}

func TestDefaultsAreInRange(t *testing.T) {
	t.Parallel()
	c, err := loadConfig(enough)
	require.NoError(t, err)
	require.Equal(t, []any{20, 50, 30 * time.Second, 40 * time.Second, time.Duration(0)}, []any{c.DatabasePool, c.Workers, c.ProviderTimeout, c.ShutdownTimeout, c.VisibilityDelay})
}

// What kills the service after a while waits until it has drained and finished.
func TestAStopHasItsTime(t *testing.T) {
	t.Parallel()
	c, err := loadConfig(enough)
	require.NoError(t, err)
	grace := regexp.MustCompile(`\b(terminationGracePeriodSeconds|stop_grace_period): (\d+)`)
	found := map[string]bool{}
	compare := func(file string) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range grace.FindAllSubmatch(text, -1) {
			found[string(m[1])] = true
			seconds, err := strconv.Atoi(string(m[2]))
			require.NoError(t, err)
			require.Greater(t, time.Duration(seconds)*time.Second, c.DrainDelay+c.ShutdownTimeout+idleGrace, file)
		}
	}
	compare("../../docker-compose.yml")
	require.NoError(t, filepath.WalkDir("../../deploy/kubernetes", func(file string, _ os.DirEntry, err error) error {
		if text, readErr := os.ReadFile(file); err == nil && readErr == nil && strings.Contains(string(text), "/readyz") && strings.HasSuffix(file, ".yaml") {
			compare(file)
		}
		return err
	}))
	require.Len(t, found, 2)
}
