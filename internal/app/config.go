package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/rs/zerolog"

	"payrelay/internal/clientaddr"
	"payrelay/internal/docsite"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/routing"
)

// config is what `server run` reads from the environment. Each secret may also be given as NAME_FILE, the path of a
// file that holds it. A number or duration outside its range is refused.
type config struct {
	DatabaseURL     gateway.Secret `env:"DATABASE_URL,required,notEmpty" secret:"true" help:"Postgres, as postgres://user:password@host/db?sslmode=verify-full. Transaction poolers want default_query_exec_mode=exec."`
	MigrateURL      gateway.Secret `env:"MIGRATE_DATABASE_URL" secret:"true" help:"A direct connection for migrations, if DATABASE_URL goes through a pooler."`
	SecretKeyset    gateway.Secret `env:"SECRET_KEYSET,required,notEmpty" secret:"true" help:"What 'server keyset new' printed. It encrypts secrets in the database."`
	KeysetCommand   string         `env:"SECRET_KEYSET_COMMAND" help:"In place of SECRET_KEYSET: a command that prints it, such as one that asks a KMS. It is run without a shell, at start only."`
	PublicURL       string         `env:"PUBLIC_URL,required,notEmpty" help:"Where providers reach this service, such as https://pay.example.com."`
	ListenAddr      string         `env:"LISTEN_ADDR" envDefault:":8080" help:"The merchant API, /docs and the providers' callbacks."`
	AdminAddr       string         `env:"ADMIN_ADDR" envDefault:"127.0.0.1:9090" help:"/healthz, /readyz and /metrics. Not for the public."`
	ClientAddress   string         `env:"CLIENT_ADDRESS" envDefault:"peer" help:"What says a client's address: peer (the connection), x-forwarded-for, forwarded or proxy-protocol. Nothing else is listened to."`
	TrustedProxies  []string       `env:"TRUSTED_PROXIES" help:"Networks of the proxies before this service, such as 10.0.0.0/8,192.0.2.7/32. Every source but peer needs them."`
	ProviderTimeout time.Duration  `env:"PROVIDER_TIMEOUT" envDefault:"30s" range:"1s to 2m" help:"How long a call to a provider may take before its order is answered as unknown."`
	FailoverWithin  time.Duration  `env:"FAILOVER_WITHIN" envDefault:"20s" range:"1s to 20s" help:"How long after a payment was created an attempt at another account may begin in the same request."`
	VisibilityDelay time.Duration  `env:"VISIBILITY_DELAY" envDefault:"0s" range:"0s to 24h" help:"For how long a provider's 'no such order' proves nothing; 0s is each provider's own delay. Set it only against a simulator."`
	CallbackPolicy  string         `env:"CALLBACK_POLICY" envDefault:"verify" help:"verify: a callback that passes every rule settles its order. always_confirm: the provider is asked about every callback."`
	LogLevel        string         `env:"LOG_LEVEL" envDefault:"info" help:"trace, debug, info, warn or error."`
	DrainDelay      time.Duration  `env:"DRAIN_DELAY" envDefault:"10s" range:"0s to 5m" help:"How long the service serves on after SIGTERM, while /readyz says 503. Longer than your balancer takes to notice that."`
	ShutdownTimeout time.Duration  `env:"SHUTDOWN_TIMEOUT" envDefault:"40s" range:"1s to 10m" help:"How long a stop waits, after DRAIN_DELAY, for requests under way."`
	DatabasePool    int            `env:"DATABASE_POOL" envDefault:"20" range:"2 to 1000" help:"The most connections to Postgres."`
	Workers         int            `env:"WORKERS" envDefault:"50" range:"1 to 1000" help:"How many status polls of each provider's orders and how many deliveries run at once. A poll that waits longer than a second for its answer is not counted."`
	CallbackRate    int            `env:"CALLBACK_RATE" envDefault:"100" range:"1 to 100000" help:"How many callbacks a second of one account are taken; five times as many at once. Raise it if an account has more orders than that."`
	MaxConnections  int            `env:"MAX_CONNECTIONS" envDefault:"4096" range:"64 to 1000000" help:"The most connections to LISTEN_ADDR. The process's limit of open files must leave room for them."`
	ProviderHosts   string         `env:"PROVIDER_HOSTS" help:"Hosts that providers may be called at, beside those built in, as smartcore=api.example.com,smartcore=pci.example.com:8443. Not in the database, so that nobody who writes there redirects cards."`
	HostsCheck      string         `env:"PROVIDER_HOSTS_CHECK" envDefault:"warn" help:"warn: a provider of which no host is known may be called anywhere, with a warning at the start. enforce: it may not."`
	RoleCheck       string         `env:"DATABASE_ROLE_CHECK" envDefault:"warn" help:"warn: a role in the database that may do more than the service needs gives a warning at the start. enforce: the service does not start."`
	HealthDemotion  string         `env:"HEALTH_DEMOTION" envDefault:"on" help:"on: an account of which too many calls fail is put last in routing until it has recovered. off: it keeps its place, and nothing is counted."`
	RequestLog      bool           `env:"REQUEST_LOG" envDefault:"false" help:"Keep a log of shops' requests, without their bodies, which they read at GET /v1/requests."`
	PProf           bool           `env:"PPROF" envDefault:"false" help:"Serve Go's profiles under /debug/pprof/ on ADMIN_ADDR. They show what runs, and cost processor time while they are taken."`
	Retention

	// docs are the addresses that the documentation's examples have: those of `dev`, or PUBLIC_URL.
	docs docsite.Addresses
}

// loadConfig reads the environment and reports every problem at once.
func loadConfig(environ []string) (config, error) {
	c, problems := readConfig(environ)
	if len(problems) > 0 {
		return config{}, fmt.Errorf("the environment is not complete:\n  - %s\n'server run --help' lists every variable", strings.Join(problems, "\n  - "))
	}
	return c, nil
}

// readConfig reads the environment as far as it can be read, and says what is wrong with the rest.
func readConfig(environ []string) (c config, problems []string) {
	vars := env.ToMap(environ)
	problems = append(secretFiles(configType, vars), keysetFromCommand(vars)...)
	unread := map[string]bool{} // fields
	sources := problems
	problems = append(problems, slices.DeleteFunc(parse(&c, vars, unread), func(p string) bool {
		name, _, _ := strings.Cut(p, " ")
		return slices.ContainsFunc(sources, func(s string) bool { return strings.HasPrefix(s, name+"_") }) // its file or command is to blame
	})...)
	problems = append(problems, c.check(unread)...)
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	c.docs.API = c.PublicURL
	return c, problems
}

// parse fills a struct from variables, says what is wrong with them, and names the fields that could not be read.
func parse(into any, vars map[string]string, unread map[string]bool) (problems []string) {
	err := env.ParseWithOptions(into, env.Options{Environment: vars})
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		if err != nil {
			problems = append(problems, plain(err))
		}
		return problems
	}
	for _, e := range all.Errors {
		problems = append(problems, plain(e))
		if parse, ok := errors.AsType[env.ParseError](e); ok {
			unread[parse.Name] = true
		}
	}
	return problems
}

// plain says what is wrong with a variable without its value.
func plain(err error) string {
	var unset env.VarIsNotSetError
	var empty env.EmptyVarError
	var parse env.ParseError
	switch {
	case errors.As(err, &unset):
		return unset.Key + " is not set"
	case errors.As(err, &empty):
		return empty.Key + " is empty"
	case errors.As(err, &parse):
		field, _ := reflect.TypeFor[config]().FieldByName(parse.Name)
		name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		kind := map[reflect.Type]string{reflect.TypeFor[time.Duration](): "duration", reflect.TypeFor[int](): "number"}[parse.Type]
		if parse.Type.Kind() == reflect.Bool {
			return name + " must be true or false"
		}
		return fmt.Sprintf("%s is not a valid %s, such as %s", name, kind, field.Tag.Get("envDefault"))
	}
	return err.Error()
}

// secretFiles fills vars from NAME_FILE for every secret, and says what is wrong with those files.
func secretFiles(t reflect.Type, vars map[string]string) (problems []string) {
	for f := range fields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
		path := vars[name+"_FILE"]
		if f.Tag.Get("secret") == "" || path == "" {
			continue
		}
		if vars[name] != "" {
			problems = append(problems, fmt.Sprintf("%s and %s_FILE are both set: set one", name, name))
			continue
		}
		text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s_FILE cannot be read: %v", name, err))
			continue
		}
		vars[name] = strings.TrimRight(string(text), "\r\n")
	}
	return problems
}

func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			if !f.Anonymous && !yield(f) {
				return
			}
		}
	}
}

// check says what is wrong with values that could be read. Empty required ones are reported elsewhere.
func (c config) check(unread map[string]bool) (problems []string) {
	bad := func(wrong bool, text string) {
		if wrong {
			problems = append(problems, text)
		}
	}
	if c.PublicURL != "" {
		problems = append(problems, badBaseURL("PUBLIC_URL", c.PublicURL)...)
	}
	problems = append(problems, outOfRange(reflect.ValueOf(c), unread)...)
	bad(c.CallbackPolicy != "" && c.CallbackPolicy != "verify" && c.CallbackPolicy != "always_confirm", "CALLBACK_POLICY must be verify or always_confirm")
	if _, err := c.clients(); err != nil {
		problems = append(problems, "CLIENT_ADDRESS and TRUSTED_PROXIES do not fit: "+err.Error())
	}
	bad(c.HostsCheck != "warn" && c.HostsCheck != "enforce", "PROVIDER_HOSTS_CHECK must be warn or enforce")
	bad(c.RoleCheck != "warn" && c.RoleCheck != "enforce", "DATABASE_ROLE_CHECK must be warn or enforce")
	bad(c.HealthDemotion != "on" && c.HealthDemotion != "off", "HEALTH_DEMOTION must be on or off")
	problems = append(problems, c.badHosts()...)
	problems = append(problems, c.badListeners()...)
	if _, err := zerolog.ParseLevel(c.LogLevel); err != nil {
		problems = append(problems, "LOG_LEVEL must be trace, debug, info, warn or error")
	}
	return problems
}

// badListeners says what is wrong with the addresses that the service listens at.
func (c config) badListeners() (problems []string) {
	if c.ListenAddr == "" && c.AdminAddr == "" {
		return nil // `dev` chooses them later
	}
	host, port, ok := listenAddress(c.ListenAddr)
	adminHost, adminPort, adminOK := listenAddress(c.AdminAddr)
	const how = " must be an address to listen at, such as :8080 or 127.0.0.1:9090"
	switch {
	case ok && adminOK:
		if port == adminPort && port != 0 && (host == adminHost || host == everywhere || adminHost == everywhere) {
			problems = append(problems, "LISTEN_ADDR and ADMIN_ADDR are the same address: give each a port of its own")
		}
		return problems
	case !ok:
		problems = append(problems, "LISTEN_ADDR"+how)
	}
	if !adminOK {
		problems = append(problems, "ADMIN_ADDR"+how)
	}
	return problems
}

// everywhere is the host of a listener on every address of the machine.
const everywhere = ""

// listenAddress takes an address to listen at apart, and reports whether it is one.
func listenAddress(text string) (host string, port int, ok bool) {
	host, service, err := net.SplitHostPort(text)
	if err == nil {
		port, err = net.LookupPort("tcp", service) //nolint:noctx // of this machine's list
	}
	if ip, ipErr := netip.ParseAddr(host); ipErr == nil && ip.IsUnspecified() {
		host = everywhere
	} else if host == "localhost" || ipErr == nil && ip.Unmap().IsLoopback() {
		host = "localhost"
	}
	return host, port, err == nil && service != ""
}

// misspelt says which variables look like one that is known.
func misspelt(environ []string) (warnings []string) {
	var known []string
	for f := range fields(configType) {
		name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
		known = append(known, name)
		if f.Tag.Get("secret") != "" {
			known = append(known, name+"_FILE")
		}
	}
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if near := routing.NearestWithin(min(2, len(name)/4), name, known); near != "" && near != name {
			warnings = append(warnings, fmt.Sprintf("%s is no variable of this program: did you mean %s?", name, near))
		}
	}
	return warnings
}

// clients finds the address of each client as CLIENT_ADDRESS says.
func (c config) clients() (*clientaddr.Finder, error) {
	return clientaddr.New(clientaddr.Source(c.ClientAddress), c.TrustedProxies)
}

// outOfRange says which numbers and durations of a struct are outside their limits.
func outOfRange(v reflect.Value, unread map[string]bool) (problems []string) {
	for f := range fields(v.Type()) {
		if limits := f.Tag.Get("range"); limits != "" && !unread[f.Name] && !within(v.FieldByIndex(f.Index), limits) {
			name, _, _ := strings.Cut(f.Tag.Get("env"), ",")
			problems = append(problems, name+" must be from "+limits)
		}
	}
	return problems
}

// within reports whether v, a number or a duration, is within limits such as "1s to 2m".
func within(v reflect.Value, limits string) bool {
	read := func(text string) int64 {
		if v.Type() == reflect.TypeFor[time.Duration]() {
			d, err := time.ParseDuration(text)
			if err != nil {
				panic(err) // the program's own text
			}
			return int64(d)
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	}
	least, most, _ := strings.Cut(limits, " to ")
	return read(least) <= v.Int() && v.Int() <= read(most)
}

// badBaseURL says what is wrong with the base address called name.
func badBaseURL(name, text string) []string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return []string{name + " must be an address such as https://pay.example.com"}
	case u.Scheme == "http" && !kit.Loopback(u.Hostname()):
		return []string{name + " must begin with https://; http:// is for addresses of this machine only"}
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return []string{name + " must be a plain address, without a question mark, fragment or user"}
	}
	return nil
}

// describeConfig lists every variable for --help.
func describeConfig() string {
	var b strings.Builder
	b.WriteString("Environment:\n")
	for f := range fields(reflect.TypeFor[config]()) {
		name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		note := "default " + f.Tag.Get("envDefault")
		switch {
		case strings.Contains(options, "required"):
			note = "required"
		case f.Tag.Get("envDefault") == "":
			note = "optional"
		}
		if f.Tag.Get("secret") != "" {
			note += ", or " + name + "_FILE"
		}
		if limits := f.Tag.Get("range"); limits != "" {
			note += ", from " + limits
		}
		fmt.Fprintf(&b, "\n  %s (%s)\n      %s\n", name, note, f.Tag.Get("help"))
	}
	return b.String()
}

var configType = reflect.TypeFor[config]()

// lookup returns the value of an environment variable, or "".
func lookup(environ []string, name string) string {
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v
		}
	}
	return ""
}
