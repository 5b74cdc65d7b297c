package canary

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/localpg"
	"payrelay/internal/secrets"
	"payrelay/internal/store"
)

// Every number has one of these marks in its middle, where a mask has none of it.
const (
	evident   = "66739184" // in texts that evidently hold a card number: nowhere to be found
	ambiguous = "55218437" // in texts that only might: in the rows and answers of their own shop, and nowhere else
)

// numbered returns a VISA number with a mark and a right check digit.
func numbered(mark string, n int) string {
	body := fmt.Sprintf("401%s%04d", mark, n)
	sum := 0
	for i := range len(body) {
		d := int(body[i] - '0')
		if i%2 == 0 { // the check digit follows
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return body + strconv.Itoa((10-sum%10)%10)
}

func each(format string) func(string) string {
	return func(number string) string {
		var out strings.Builder
		for _, r := range number {
			fmt.Fprintf(&out, format, r)
		}
		return out.String()
	}
}

func grouped(separator string) func(string) string {
	return func(n string) string { return strings.Join([]string{n[:4], n[4:8], n[8:12], n[12:]}, separator) }
}

func shifted(zero rune) func(string) string {
	return func(n string) string { return strings.Map(func(r rune) rune { return r - '0' + zero }, n) }
}

func around(before, after string) func(string) string {
	return func(n string) string { return before + n + after }
}

var spellings = []func(string) string{
	grouped(" "), grouped("-"), grouped("."), grouped("/"), grouped("_"), grouped("\u00a0"), grouped("\u2009"), grouped("–"), grouped(" - "), grouped("\u200b"), grouped("\u00ad"),
	shifted('０'), shifted('𝟬'), each("%%%02X"), each("%%25%02X"), each("&#%d;"), each("&#x%x;"), each(`\u%04x`), each(`\x%02x`), each("%c "), each("%c\u0301"),
	func(n string) string { return base64.StdEncoding.EncodeToString([]byte(n)) },
	func(n string) string { return base64.RawURLEncoding.EncodeToString([]byte(n)) },
	func(n string) string { return hex.EncodeToString([]byte(n)) },
	each("%02x "), each("%02X:"), each("0x%02x, "), each("%d "), each("=%02X"), each(`\%03o`),
	func(n string) string { return base64.StdEncoding.EncodeToString([]byte(each("%c\x00")(n))) },
	func(n string) string { return base64.StdEncoding.EncodeToString([]byte(each("\x00%c")(n))) },
	func(n string) string { return base32.StdEncoding.EncodeToString([]byte(n)) },
	around("card ", ""), around("visa:", ""), around("картка ", ""), around("", " 12/30"), around("", " 1230 739"), around(";", "=30121010000000000000?"), around("%B", "^DOE/JOHN^3012101?"),
}

// fields are the texts of a request, as members of a payment around a text in quotes.
var fields = []string{
	`"reference":%s`, `"description":%s`, `"metadata":{"note":%s}`, `"metadata":{%s:"x"}`, `"customer":{"first_name":%s}`, `"customer":{"address":{"line":%s}}`,
	`"customer":{"address":{"postal_code":%s}}`, `"customer":{"email":%s}`, `"browser":{"user_agent":%s}`, `"site_url":%s`, `"return_urls":{"success":%s}`, `"notification_url":%s`, `"account":%s`, `"unknown":%s`,
}

type canary struct {
	app.Ready
	t       *testing.T
	client  *http.Client
	log     lockedBuffer
	answers bytes.Buffer
	next    int
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// number returns the next number with a mark.
func (c *canary) number(mark string) string {
	c.next++
	return numbered(mark, c.next)
}

func start(t *testing.T) *canary {
	t.Helper()
	folder, err := localpg.MkdirTemp("payrelay-canary-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	ctx, stop := context.WithCancel(context.Background())
	c := &canary{t: t, client: &http.Client{}}
	c.from(0)
	in, out := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- app.Execute(ctx, []string{
			"dev", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", "127.0.0.1:0", "--shop", "127.0.0.1:0", "--data", folder, "--log-level", "trace",
		}, &app.Streams{Out: out, Err: &c.log, Environ: []string{"LOG_LEVEL=trace", "PROVIDER_HOSTS_CHECK=warn"}})
		_ = out.Close()
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	line, err := bufio.NewReader(in).ReadBytes('\n')
	require.NoError(t, err, "%s", c.log.bytes())
	require.NoError(t, json.Unmarshal(line, &c.Ready))
	return c
}

// from makes the next requests come from another address of this machine: who has no key has to wait after ten requests, and is read no
// further until then.
func (c *canary) from(n int) {
	c.client.CloseIdleConnections()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(n))}}
	c.client.Transport = &http.Transport{DialContext: dialer.DialContext}
}

// send makes a request, keeps what is answered, and returns the status.
func (c *canary) send(method, url, body string, header http.Header) int {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("Authorization", "Bearer "+c.ShopKey)
	req.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := c.client.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = res.Body.Close() }()
	require.NotEqual(c.t, http.StatusTooManyRequests, res.StatusCode, "the request was read no further")
	require.NoError(c.t, res.Header.Write(&c.answers))
	_, err = io.Copy(&c.answers, res.Body)
	require.NoError(c.t, err)
	return res.StatusCode
}

func (c *canary) payment(member string) (status int) {
	head := `{"reference":"r-%d",`
	if strings.HasPrefix(member, `"reference"`) {
		head = `{"x-%d":1,`
	}
	c.next++
	return c.send(http.MethodPost, c.API+"/v1/payments", fmt.Sprintf(head, c.next)+`"amount":1000,"currency":"EUR",`+member+"}", nil)
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// facts are what the provider wants to know.
const facts = `"account":"EUR-sandbox","site_url":"https://shop.example","return_urls":{"success":"https://shop.example/ok","fail":"https://shop.example/no"},` +
	`"customer":{"first_name":"J","last_name":"D","email":"j@example.com","phone":"+442079460612","ip":"127.0.0.1","address":{"line":"1","city":"L","postal_code":"1","country":"GB"}}`

func tail(text string) string { return text[max(0, len(text)-600):] }

// sendEverywhere sends numbers to every place that a request has.
func (c *canary) sendEverywhere() {
	for _, spell := range spellings {
		for _, field := range fields {
			require.NotEqual(c.t, http.StatusCreated, c.payment(fmt.Sprintf(field, quoted(spell(c.number(evident))))), field)
		}
	}
	for i, spell := range append(spellings, around("", ""), around("id-", "")) {
		c.from(i)
		text := strings.Map(func(r rune) rune { // what a header may hold
			if r < ' ' || r > '~' {
				return -1
			}
			return r
		}, spell(c.number(evident)))
		for _, name := range []string{"Idempotency-Key", "X-Request-Id", "Traceparent", "User-Agent", "Referer", "Authorization", "X-Forwarded-For"} {
			c.next++
			c.send(http.MethodPost, c.API+"/v1/payments", fmt.Sprintf(`{"reference":"h-%d","amount":1000,"currency":"EUR"}`, c.next), http.Header{name: {text}})
		}
		escaped := strings.NewReplacer("%", "%25", " ", "%20", "?", "%3F", "#", "%23", `\`, "%5C").Replace(text)
		for _, path := range []string{"/", "/v1/", "/v1/orders/", "/v1/orders?reference=", "/callbacks/smartcore/", "/callbacks/"} {
			c.send(http.MethodGet, c.API+path+escaped, "", nil)
		}
		c.send(http.MethodPost, c.API+"/callbacks/smartcore/none", text, nil)
	}
	number := c.number(evident) // a card where it belongs
	direct := facts + `,"flow":"direct","payment_method":{"type":"card","card":{"number":%q,"exp_month":12,"exp_year":2030,"cvc":"739","holder":%q}}`
	require.Less(c.t, c.payment(fmt.Sprintf(direct, number, "J D")), http.StatusMultipleChoices, "%s", tail(c.answers.String()))
	require.Equal(c.t, http.StatusUnprocessableEntity, c.payment(fmt.Sprintf(`"description":%q,`, "order"+number)+fmt.Sprintf(direct, number, "J D")))
	require.Equal(c.t, http.StatusUnprocessableEntity, c.payment(fmt.Sprintf(direct, c.number(evident), c.number(evident))))
	for _, args := range [][]string{{"shop", "set", "demo", "--resume", "--reason", c.number(evident)}, {"shop", "create", c.number(evident)}} {
		require.NotZero(c.t, app.Execute(c.t.Context(), args, &app.Streams{Out: &c.answers, Err: &c.answers, Environ: []string{"DATABASE_URL=" + c.DatabaseURL}}))
	}
}

// forms are all ways in which the search knows a mark.
func forms(mark string) (out [][]byte) {
	out = append(out, []byte(mark), []byte(hex.EncodeToString([]byte(mark))), []byte(strings.ToUpper(hex.EncodeToString([]byte(mark)))), []byte(shifted('０')(mark)), []byte(shifted('𝟬')(mark)))
	for _, f := range []string{
		"%%%02X", "%%25%02X", "&#%d;", "&#x%x;", `\u%04x`, `\\u%04x`, `\x%02x`, "%c\u0301", "%02x ", "%02X:", "0x%02x, ", "%d ", "=%02X", `\%03o`, `\\%03o`,
	} {
		out = append(out, []byte(each(f)(mark)))
	}
	for _, text := range []string{mark, each("%c\x00")(mark), each("\x00%c")(mark)} {
		out = append(out, within(base64.StdEncoding, text, 3, 6)...)
	}
	return append(out, within(base32.StdEncoding, mark, 5, 5)...)
}

// within returns what a text becomes at each place of an encoding with so many bits a character: only what the text alone decides.
func within(encoding interface{ EncodeToString([]byte) string }, text string, places, bits int) (out [][]byte) {
	for before := range places {
		encoded := encoding.EncodeToString([]byte(strings.Repeat("x", before) + text + "xx"))
		out = append(out, []byte(encoded[(8*before+bits-1)/bits:8*(before+len(text))/bits]))
	}
	return out
}

// holds reports whether data has a mark in any form.
func holds(data []byte, mark string) bool { return sight(data, mark) != "" }

// sight returns what stands around the first mark that is found, "" if there is none.
func sight(data []byte, mark string) string {
	for _, form := range forms(mark) {
		if at := bytes.Index(data, form); at >= 0 {
			return fmt.Sprintf("%q", data[max(0, at-200):min(len(data), at+len(form)+50)])
		}
	}
	joined := bytes.Map(func(r rune) rune { // grouped, or UTF-16
		if strings.ContainsRune(" -._/\x00\t\n\u00a0\u2009–\u200b\u00ad", r) {
			return -1
		}
		return r
	}, data)
	if at := bytes.Index(joined, []byte(mark)); at >= 0 {
		return fmt.Sprintf("joined: %q", joined[max(0, at-200):min(len(joined), at+len(mark)+50)])
	}
	return ""
}

// left is everything that the service leaves behind, by where.
func (c *canary) left() map[string][]byte {
	conn, err := pgx.Connect(c.t.Context(), c.DatabaseURL)
	require.NoError(c.t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(c.t.Context())) }()
	_, err = conn.Exec(c.t.Context(), "CHECKPOINT")
	require.NoError(c.t, err)
	var folder string
	require.NoError(c.t, conn.QueryRow(c.t.Context(), "SHOW data_directory").Scan(&folder))
	out := map[string][]byte{"service log": c.log.bytes(), "answers": c.answers.Bytes()}
	require.NoError(c.t, filepath.WalkDir(filepath.Dir(folder), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // Postgres removes files meanwhile
		}
		if data, err := os.ReadFile(path); err == nil { //nolint:gosec // the test's own folder
			out["file "+path] = data
		}
		return nil
	}))
	dumps, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
	require.NoError(c.t, err)
	require.NotEmpty(c.t, dumps)
	out["pg_dump"], err = exec.CommandContext(c.t.Context(), dumps[len(dumps)-1], c.DatabaseURL).Output() //nolint:gosec // as it was found
	require.NoError(c.t, err)
	out["opened texts"] = c.opened()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.Admin+"/metrics", nil)
	require.NoError(c.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = res.Body.Close() }()
	out["metrics"], err = io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return out
}

// opened is every text of the database, also what is encrypted under the orders' data keys.
func (c *canary) opened() []byte {
	keyring, err := secrets.Open(secrets.DemoKeyset)
	require.NoError(c.t, err)
	pool, err := pgxpool.New(c.t.Context(), c.DatabaseURL)
	require.NoError(c.t, err)
	defer pool.Close()
	var all bytes.Buffer
	encrypted := 0
	require.NoError(c.t, store.New(pool, store.Options{Keyring: keyring}).Texts(c.t.Context(), func(table, column, text string) error {
		if table == "notifications" && column == "payload" {
			encrypted++
		}
		_, err := all.WriteString(text + "\n")
		return err
	}))
	require.Positive(c.t, encrypted, "what is encrypted is opened")
	return all.Bytes()
}

func TestNoCardNumberRestsAnywhere(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.sendEverywhere()
	taken := c.number(ambiguous)
	require.Equal(t, http.StatusCreated, c.send(http.MethodPost, c.API+"/v1/payments", fmt.Sprintf(`{"reference":%q,"amount":1000,"currency":"EUR",%s}`, taken, facts), nil), "%s", tail(c.answers.String()))
	files, seen := 0, 0
	for where, data := range c.left() {
		assert.Empty(t, sight(data, evident), "a card number is in %s", where)
		if holds(data, ambiguous) {
			seen++
			require.NotContains(t, []string{"service log", "metrics"}, where)
			require.NotContains(t, where, "postgres.log")
		}
		if strings.HasPrefix(where, "file ") {
			files++
		}
	}
	require.Greater(t, files, 500, "the data files and the write-ahead log were read")
	require.GreaterOrEqual(t, seen, 4, "the search finds what is there: in the dump, a data file, the log of changes and the answers")
}

func TestTheSearchFindsEveryForm(t *testing.T) {
	t.Parallel()
	for i, spell := range spellings {
		for phase := range 3 {
			text := strings.Repeat("x", phase) + spell(numbered(evident, i)) + "y"
			require.True(t, holds([]byte(text), evident), text)
			require.False(t, holds([]byte(text), ambiguous), text)
		}
	}
	require.False(t, holds([]byte("401667******0012"), evident))
}
