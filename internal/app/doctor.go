package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"text/tabwriter"

	"payrelay/internal/plural"
	"payrelay/internal/secrets"
)

type doctorCmd struct {
	Rows bool `help:"Also count the rows that each key of the keyset is needed for. Reads whole tables."`
	Free int  `default:"10" placeholder:"PERCENT" help:"How much of the disk that holds Postgres' data must be free, if it can be seen from here."`
	JSON bool `name:"json" help:"Print JSON."`
}

// Help says what is checked.
func (doctorCmd) Help() string {
	return "It reads the environment of 'server run', or finds the 'server dev' of this folder. Run it where the service runs, as the service's user: it checks the configuration, the database, the disk, locks, the clocks, what waits too long, the hosts of providers, keys, and the limits of the process. It needs no right to write. The exit code is 1 if there is a problem."
}

// The levels of a diagnosis.
const (
	levelOK      = "ok"
	levelWarning = "warning"
	levelProblem = "problem"
)

// diagnosis is what one check found.
type diagnosis struct {
	Check string `json:"check"`
	Level string `json:"level"`
	Text  string `json:"text"` // what is so; or what is wrong and what to do
}

// doctor collects what checks find.
type doctor struct {
	config config
	demo   bool // a database of `dev`
	rows   bool
	free   int // per cent of a disk
	list   []diagnosis
}

func (d *doctor) ok(check, text string, a ...any) { d.add(levelOK, check, text, a...) }

func (d *doctor) warn(check, text string, a ...any) { d.add(levelWarning, check, text, a...) }

func (d *doctor) problem(check, text string, a ...any) { d.add(levelProblem, check, text, a...) }

func (d *doctor) add(level, check, text string, a ...any) {
	d.list = append(d.list, diagnosis{Check: check, Level: level, Text: fmt.Sprintf(text, a...)})
}

// Run implements the command.
func (c doctorCmd) Run(ctx context.Context, io *Streams) error {
	d := &doctor{rows: c.Rows, free: c.Free}
	d.configuration(ctx, io)
	d.files()
	if !d.demo { // there they are taken by `dev`
		d.listener("LISTEN_ADDR", d.config.ListenAddr)
		d.listener("ADMIN_ADDR", d.config.AdminAddr)
	}
	d.hostList()
	if d.config.DatabaseURL != "" {
		d.database(ctx)
	}
	problems := 0
	for _, found := range d.list {
		if found.Level == levelProblem {
			problems++
		}
	}
	if c.JSON {
		if err := printJSON(io, map[string]any{"ok": problems == 0, "checks": d.list}); err != nil {
			return err
		}
	} else if err := d.print(io); err != nil {
		return err
	}
	if problems > 0 {
		return errors.New(plural.Of(problems, "problem", "problems") + " found")
	}
	return nil
}

func (d *doctor) print(io *Streams) error {
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	for _, found := range d.list {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", found.Level, found.Check, found.Text)
	}
	return w.Flush()
}

// configuration reads what `run` reads. Without any of it, a `dev` of this folder is meant.
func (d *doctor) configuration(ctx context.Context, io *Streams) {
	environ := io.Environ
	if url, dev, err := databaseURL(ctx, io); err == nil && dev {
		d.demo = true
		environ = append([]string{"PUBLIC_URL=http://localhost", "DATABASE_URL=" + url, "SECRET_KEYSET=" + secrets.DemoKeyset}, environ...) // another keyset that is given counts
	}
	for _, w := range misspelt(environ) {
		d.warn("configuration", "%s", w)
	}
	var problems []string
	if d.config, problems = readConfig(environ); len(problems) > 0 {
		for _, p := range problems {
			d.problem("configuration", "%s; 'server run --help' lists every variable", p)
		}
		return
	}
	if d.demo {
		d.ok("configuration", "that of the 'server dev' of this folder")
	} else {
		d.ok("configuration", "the environment is complete")
	}
	if keyring, err := openKeyring(d.config.SecretKeyset, d.demo); err != nil {
		d.problem("keyset", "%v", err)
	} else {
		d.ok("keyset", "SECRET_KEYSET holds %s", plural.Of(len(keyring.Keys()), "key", "keys"))
	}
}

func (d *doctor) files() {
	limit, known := fileLimit()
	switch err := checkFileLimit(d.config); {
	case err != nil:
		d.problem("open files", "%v", err)
	case known:
		d.ok("open files", "the limit is %d, and %d may be wanted", limit, d.config.MaxConnections+reserved(d.config))
	}
}

// listener tries to open a listener.
func (d *doctor) listener(name, address string) {
	if _, _, ok := listenAddress(address); !ok {
		return // the configuration's problem
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		d.warn("listener", "%s %s cannot be opened: fine if this service runs already, else stop who has it or choose another address (%v)", name, address, err)
		return
	}
	_ = l.Close()
	d.ok("listener", "%s %s is free", name, address)
}

func (d *doctor) hostList() {
	if d.demo {
		d.ok("provider hosts", "the simulators on this machine")
		return
	}
	var open []string
	for provider := range builtInHosts {
		if d.config.callsOf(provider).AnyHost {
			open = append(open, provider)
		}
	}
	slices.Sort(open)
	for _, provider := range open {
		d.warn("provider hosts", "%s: %s", provider, anyHost)
	}
	if len(open) == 0 {
		d.ok("provider hosts", "those of every provider are named")
	}
}
