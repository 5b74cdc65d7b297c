// Command attack attacks the real server as a stranger would, and reports what a shop lost; see test/attack.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"payrelay/internal/localpg"
	"payrelay/test/attack"
)

type cli struct {
	For    time.Duration `default:"10s" help:"How long each attack lasts."`
	Dir    string        `placeholder:"FOLDER" help:"Where data and logs go and stay; a temporary folder without it."`
	Kind   []attack.Kind `placeholder:"KIND" help:"Which attacks; all without it: half-sent bodies, idle connections, wrong keys."`
	Attack string        `hidden:""`
	Target string        `hidden:""`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var c cli
	kong.Parse(&c, kong.Name("attack"), kong.Description("Attacks the real server without a key while a shop pays, and reports what the shop lost."))
	err := c.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
}

func (c cli) run(ctx context.Context) error {
	if c.Attack != "" { // the attackers' own process
		ctx, cancel := context.WithTimeout(ctx, c.For)
		defer cancel()
		_, err := fmt.Println(attack.Attack(ctx, attack.Kind(c.Attack), c.Target))
		return err
	}
	dir := c.Dir
	if dir == "" {
		temporary, err := localpg.MkdirTemp("payrelay-attack-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(temporary) }()
		dir = temporary
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	results, err := attack.Run(ctx, attack.Options{For: c.For, Kinds: c.Kind, Self: self, Beside: true, Dir: dir, Log: os.Stderr})
	if err != nil {
		return err
	}
	return attack.Print(os.Stdout, results)
}
