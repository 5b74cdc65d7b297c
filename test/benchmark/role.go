package benchmark

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// roleVariable names the role of a process that this program started.
const roleVariable = "PAYRELAY_BENCHMARK_ROLE"

// PlayRole runs the provider, the shop or the load if this process was started to be one, and reports whether it was.
// Programs that call Run call it first.
func PlayRole() (bool, error) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		return false, nil
	case "provider":
		return true, runProvider(os.Stdout)
	case "shop":
		return true, runShop(os.Stdout)
	case "load":
		return true, runLoad(os.Stdin, os.Stdout)
	default:
		return true, fmt.Errorf("%s is unknown: %s", roleVariable, role)
	}
}

// child is this program in a role.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startRole(ctx context.Context, role string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self) //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", role, err)
	}
	return &child{cmd, in, bufio.NewReader(out)}, nil
}

// line reads a line that the child prints.
func (c *child) line() (string, error) {
	text, err := c.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("read what a process printed: %w", err)
	}
	return strings.TrimSpace(text), nil
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// startPeer starts the provider or the shop and returns it with its address.
func startPeer(ctx context.Context, role string) (*child, string, error) {
	c, err := startRole(ctx, role)
	if err != nil {
		return nil, "", err
	}
	address, err := c.line()
	if err != nil {
		c.kill()
	}
	return c, address, err
}

// failuresAllowed is how many requests there must be for each that fails.
const failuresAllowed = 50

// runJob runs the load. While it runs, during is called, if it is given; a job without a length or a count ends with it.
func runJob(ctx context.Context, j job, during func() error) (loadResult, error) {
	var result loadResult
	c, err := startRole(ctx, "load")
	if err != nil {
		return result, err
	}
	defer c.kill()
	if err := json.NewEncoder(c.in).Encode(j); err != nil {
		return result, fmt.Errorf("write the job: %w", err)
	}
	if _, err := c.line(); err != nil {
		return result, err
	}
	if during != nil {
		if err := during(); err != nil {
			return result, err
		}
	}
	_ = c.in.Close()
	if err := json.NewDecoder(c.out).Decode(&result); err != nil {
		return result, fmt.Errorf("read the load's result: %w", err)
	}
	if result.Failed > len(result.Orders)/failuresAllowed {
		return result, fmt.Errorf("%d requests of the load failed, the first one so: %s", result.Failed, result.Error)
	}
	return result, nil
}
