package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is every command of the program.
type cli struct {
	workshop

	As string `name:"as" placeholder:"NAME" help:"Your name, for the audit log. It is kept as a claim, beside the user of the operating system."`

	Run               runCmd               `cmd:"" help:"The service, configured from the environment. For production."`
	Migrate           migrateCmd           `cmd:"" help:"The database's schema."`
	Roles             rolesCmd             `cmd:"" help:"The database's roles."`
	Keyset            keysetCmd            `cmd:"" help:"Keys that encrypt secrets in the database."`
	Shop              shopCmd              `cmd:"" help:"Shops."`
	Key               keyCmd               `cmd:"" help:"API keys of shops."`
	Route             routeCmd             `cmd:"" help:"Rules that choose the accounts of payments."`
	BIN               binCmd               `cmd:"" name:"bin" help:"The list that says in which countries cards were issued, for routing rules."`
	Rate              rateCmd              `cmd:"" help:"How often shops may ask."`
	Payout            payoutCmd            `cmd:"" help:"Payouts that wait for a release."`
	Limit             limitCmd             `cmd:"" help:"How much money orders may move."`
	Account           accountCmd           `cmd:"" help:"Accounts at providers."`
	Order             orderCmd             `cmd:"" help:"Orders, for operators."`
	Mandate           mandateCmd           `cmd:"" help:"Mandates: by which customers are charged again."`
	Dispute           disputeCmd           `cmd:"" help:"Money of payments that moved without payrelay: chargebacks, refunds made elsewhere, money that came twice."`
	TransactionReport transactionReportCmd `cmd:"" name:"statement" help:"Statements, for operators."`
	Listen            listenCmd            `cmd:"" help:"Print a shop's notifications as they come, and forward them to an endpoint of its developer's."`
	Feed              feedCmd              `cmd:"" help:"The event feeds of shops, for operators."`
	Cards             cardsCmd             `cmd:"" help:"Card numbers where none belong."`
	Erase             eraseCmd             `cmd:"" help:"What is said of orders and customers, erased for good."`
	Hold              holdCmd              `cmd:"" help:"Orders that must not be erased."`
	Retention         retentionCmd         `cmd:"" help:"What is kept for a while only."`
	Audit             auditCmd             `cmd:"" help:"What operators changed, when and why."`
	Version           versionCmd           `cmd:"" help:"Print the version, the commit and its date."`
	Doctor            doctorCmd            `cmd:"" help:"Check everything that the service needs, and change nothing."`
	Healthcheck       healthcheckCmd       `cmd:"" help:"Exit with 0 if a running service says it is ready. For containers."`
}

type versionCmd struct{}

// Run implements the command.
func (versionCmd) Run(io *Streams) error {
	_, err := fmt.Fprintln(io.Out, thisBuild())
	return err
}

// Streams are where commands print and the environment that they read. Tests give their own.
type Streams struct {
	Out, Err io.Writer
	Environ  []string

	claimed string // by --as
}

// Main runs the process's own command line until it ends or a signal asks it to stop, and returns the exit code.
func Main() int {
	if err := protectMemory(); err != nil { // before anything secret is read
		fmt.Fprintln(os.Stderr, "the process's memory cannot be protected:", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal finds nobody who listens, and ends the process at once
	return Execute(ctx, os.Args[1:], &Streams{Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()})
}

// newCLI returns the commands with the flags that the providers describe, and the words of its helps.
func newCLI() (*cli, kong.Vars, error) {
	registry := offlineDrivers()
	var c cli
	var err error
	if c.Account.Create.accountFlags, err = describedFlags(registry); err != nil {
		return nil, nil, err
	}
	if c.Account.Secret.Stage.accountFlags, err = describedFlags(registry); err != nil {
		return nil, nil, err
	}
	var currencies, settings []string
	for _, name := range registry.Names() {
		d, err := registry.Driver(name)
		if err != nil {
			return nil, nil, err
		}
		described := d.Describe()
		currencies = append(currencies, name+": "+described.Currencies)
		settings = append(settings, "Those of "+name+": "+strings.Join(settingNames(described), ", "))
	}
	return &c, kong.Vars{"providers": strings.Join(registry.Names(), " or "), "currencies": strings.Join(currencies, "; "), "settings": strings.Join(settings, ". ")}, nil
}

// only returns the command that args begin with, as a grammar of its own: to build all commands takes longer than most of them run. It
// returns all of them if args begin otherwise. as is where --as goes.
func (c *cli) only(args []string) (grammar any, as *string) {
	all := reflect.ValueOf(c).Elem()
	for _, f := range reflect.VisibleFields(all.Type()) {
		if _, command := f.Tag.Lookup("cmd"); !command || len(args) == 0 || cmp.Or(f.Tag.Get("name"), strings.ToLower(f.Name)) != args[0] {
			continue
		}
		f.Offset, f.Index = 0, nil
		claim, _ := all.Type().FieldByName("As")
		one := reflect.New(reflect.StructOf([]reflect.StructField{claim, f}))
		one.Elem().Field(1).Set(all.FieldByName(f.Name))
		return one.Interface(), one.Elem().Field(0).Addr().Interface().(*string) //nolint:forcetypeassert // as declared above
	}
	return c, &c.As
}

// exitError is an error of a command with an exit code of its own.
type exitError struct {
	code int
	error
}

func (e *exitError) Unwrap() error { return e.error }

// Execute runs one command line and returns the exit code: 0 done, 1 the command failed, 2 the command line is wrong, or a code
// that the command's help names.
func Execute(ctx context.Context, args []string, io *Streams) (code int) {
	type exited int
	defer func() { // kong ends the program from within for --help
		if r := recover(); r != nil {
			e, ok := r.(exited)
			if !ok {
				panic(r)
			}
			code = int(e)
		}
	}()
	c, words, err := newCLI()
	if err != nil {
		panic(err) // a programmer's mistake in a provider's description
	}
	grammar, as := c.only(args)
	parser, err := kong.New(grammar, words, kong.Name("server"), kong.Description("payrelay: one call for shops, two payment providers, and never a guess about money."),
		kong.Writers(io.Out, io.Err), kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 120}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(io))
	if err != nil {
		panic(err) // a programmer's mistake in the struct above
	}
	kctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(io.Err, "server: %v\n", err)
		if p, ok := errors.AsType[*kong.ParseError](err); ok {
			_ = p.Context.PrintUsage(true)
		}
		return 2
	}
	io.claimed = *as
	if err := kctx.Run(); err != nil {
		fmt.Fprintf(io.Err, "server: %s\n", inPlainWords(err))
		if e, ok := errors.AsType[*exitError](err); ok {
			return e.code
		}
		return 1
	}
	return 0
}
