// Command benchmark measures the service beside pgbench; see test/benchmark and BENCHMARKS.md.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"payrelay/test/benchmark"
)

type cli struct {
	Rounds     int           `default:"5" help:"How many rounds. Each figure is their median."`
	Window     time.Duration `default:"4s" help:"How long each measurement takes."`
	Clients    []int         `default:"16,64" help:"Numbers of clients for R1 and R2."`
	Orders     []int         `placeholder:"10000,3000000" help:"Measure only what a life costs, among so many orders that are filled in before: for each number in turn. A million takes about 4 GB."`
	RequestLog bool          `help:"Measure only what the request log costs: lives with it and without it, in turn."`
	Quick      bool          `help:"One short round, to see that everything works. Its figures mean nothing."`
	Server     string        `placeholder:"FILE" help:"The server to measure, instead of the production build of this code."`
	Profile    string        `placeholder:"FOLDER" help:"Write a profile of the server and the statements of Postgres there, of R1 with the most clients. Costs a little."`
	Dir        string        `placeholder:"FOLDER" help:"Where data and logs go and stay; a temporary folder without it."`
	JSON       bool          `name:"json" help:"Print JSON, with the values of every round."`
}

func main() {
	played, err := benchmark.PlayRole()
	if !played {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		var c cli
		kong.Parse(&c, kong.Name("benchmark"), kong.Description("Measures the service beside pgbench on the same durable Postgres."))
		err = c.run(ctx)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
}

func (c cli) run(ctx context.Context) error {
	o := benchmark.Options{
		Rounds: c.Rounds, Window: c.Window, Warm: 1500 * time.Millisecond, Clients: c.Clients, Server: c.Server, Dir: c.Dir, Profile: c.Profile, Orders: c.Orders, RequestLog: c.RequestLog, Log: os.Stderr,
	}
	if c.Quick {
		o.Rounds, o.Window, o.Warm = 1, time.Second, 300*time.Millisecond
	}
	figures, err := benchmark.Run(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(figures)
	}
	return figures.Print(os.Stdout)
}
