//go:build !production

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"payrelay/internal/sandbox/clock"
)

// underway are the calls to providers that are not answered yet. While there is one the clock is not moved: an order whose request is still
// on its way would look like one that never arrived.
type underway struct{ calls sync.RWMutex }

func (u *underway) enter() (leave func()) {
	u.calls.RLock()
	return sync.OnceFunc(u.calls.RUnlock)
}

// quietWithin is how long a move waits for calls under way.
const quietWithin = time.Minute

// alone does something while no call is under way. It does not hold later calls up while it waits.
func (u *underway) alone(ctx context.Context, do func()) error {
	for deadline := time.Now().Add(quietWithin); !u.calls.TryLock(); {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.New("calls to providers are under way all the time: move the clock when there is less to do")
		}
		time.Sleep(5 * time.Millisecond)
	}
	defer u.calls.Unlock()
	do()
	return nil
}

// followClock lets the service live by the simulators' clock, from where it is now on. Partitions of months to come are made first.
func (a *app) followClock(ctx context.Context, c *clock.Clock) error {
	follow := func(ctx context.Context, _ time.Duration) error {
		if err := a.underway.alone(ctx, func() { a.clock.Move(c.Moved()) }); err != nil {
			return err
		}
		if err := a.makePartitions(ctx); err != nil {
			return err
		}
		select {
		case a.mandatesDue <- struct{}{}:
		default:
		}
		return nil
	}
	c.Follow(follow)
	return follow(ctx, 0)
}

// clockFile keeps by how much the clock was moved, beside the database whose rows are dated by it.
func clockFile(folder string) string { return filepath.Join(folder, "clock") }

// movedBy returns how far ahead the clock was at the end of the last run.
func movedBy(folder string, fresh bool) (moved time.Duration, err error) {
	file := clockFile(folder)
	if fresh {
		_ = os.Remove(file) // there may be none
	}
	raw, err := os.ReadFile(file) //nolint:gosec // in the developer's own folder
	switch {
	case err == nil:
		if moved, err = time.ParseDuration(strings.TrimSpace(string(raw))); err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return 0, fmt.Errorf("read by how much the clock was moved: %w", err)
	}
	return moved, nil
}

// openClock returns a clock that is as far ahead as at the end of the last run.
func openClock(folder string, fresh bool) (*clock.Clock, error) {
	moved, err := movedBy(folder, fresh)
	if err != nil {
		return nil, err
	}
	c := clock.New(nil, moved)
	c.Follow(func(context.Context, time.Duration) error {
		return os.WriteFile(clockFile(folder), []byte(c.Moved().String()+"\n"), 0o600) //nolint:gosec // in the developer's own folder
	})
	return c, nil
}

type clockCmd struct {
	Advance clockAdvanceCmd `cmd:"" help:"Move the clock of a running 'dev' on, such as 30d. What is due on the way happens."`
	Show    clockShowCmd    `cmd:"" help:"Print the clock of a running 'dev', and by how much it was moved."`
}

type clockAdvanceCmd struct {
	By   string `arg:"" help:"By how much: 30d, 12h or 90m."`
	Step string `default:"1d" help:"In steps of this. What is due in one happens before the next."`
	runningDev
}

// Run implements the command.
func (c clockAdvanceCmd) Run(ctx context.Context, io *Streams) error {
	raw, err := json.Marshal(clock.Move{Advance: c.By, Step: c.Step})
	if err != nil {
		return err
	}
	at, err := c.address(ctx)
	if err != nil {
		return err
	}
	ctx, over := context.WithCancel(ctx)
	var reporting sync.WaitGroup
	reporting.Go(func() { reportMove(ctx, io.Err, at) })
	view, err := callClock(ctx, http.MethodPost, at, bytes.NewReader(raw))
	over()
	reporting.Wait()
	if err != nil {
		return err
	}
	return printClock(io.Out, view)
}

// reportMove prints the clock each second while it moves, until ctx is done: a long way takes minutes.
func reportMove(ctx context.Context, out io.Writer, at string) {
	for sleep(ctx, time.Second) == nil {
		if view, err := callClock(ctx, http.MethodGet, at, nil); err == nil {
			_ = printClock(out, view)
		}
	}
}

type clockShowCmd struct{ runningDev }

// Run implements the command.
func (c clockShowCmd) Run(ctx context.Context, io *Streams) error {
	at, err := c.address(ctx)
	if err != nil {
		return err
	}
	view, err := callClock(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	return printClock(io.Out, view)
}

// runningDev is where a command finds 'dev'.
type runningDev struct {
	Data string `default:".payrelay" help:"The data folder of 'dev'."`
}

// address is where its clock is.
func (d runningDev) address(ctx context.Context) (string, error) {
	ready, err := runningReady(ctx, d.Data)
	if err != nil {
		return "", fmt.Errorf("%w: start one, or name its folder with --data", err)
	}
	return ready.Sandbox + "/clock", nil
}

// callClock asks a clock for something, and returns what it says.
func callClock(ctx context.Context, method, at string, body io.Reader) (clock.View, error) {
	req, err := http.NewRequestWithContext(ctx, method, at, body)
	if err != nil {
		return clock.View{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return clock.View{}, fmt.Errorf("'dev' does not answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var said struct {
		clock.View
		Error string `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil {
		return clock.View{}, fmt.Errorf("read the clock: %w", err)
	}
	if said.Error != "" {
		return clock.View{}, errors.New(said.Error)
	}
	return said.View, nil
}

func printClock(out io.Writer, v clock.View) error {
	_, err := fmt.Fprintf(out, "%s, moved by %s\n", v.Now.Format(time.RFC3339), v.Moved)
	return err
}
