// Package overlay builds the program with small edits in it that its source does not have: deliberate bugs, which show that
// the tests would find them. The source stays as it is; the go command reads the edited files through its flag -overlay.
package overlay

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Edit replaces a text that a file holds exactly once. With an empty Old, New is a file that is not there yet.
type Edit struct {
	File     string // its path below the module's root
	Old, New string
}

// Root is the folder of the module payrelay.
func Root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "payrelay").Output()
	if err != nil {
		return "", fmt.Errorf("find the module payrelay: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Write applies the edits to copies in the folder dir and returns the path of the file that -overlay takes. Several edits of
// one file are applied one after the other.
func Write(root, dir string, edits []Edit) (string, error) {
	texts := map[string]string{}
	for _, e := range edits {
		if err := e.apply(root, texts); err != nil {
			return "", err
		}
	}
	replace := map[string]string{}
	for file, text := range texts {
		path := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("write an edited file: %w", err)
		}
		replace[filepath.Join(root, file)] = path
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, list, 0o600); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return path, nil
}

// apply changes the file's text in texts, which it reads from root at first.
func (e Edit) apply(root string, texts map[string]string) error {
	path := filepath.Join(root, e.File)
	if e.Old == "" {
		if _, err := os.Stat(path); err == nil || texts[e.File] != "" {
			return fmt.Errorf("%s: the edit makes a file that is there already", e.File)
		}
		texts[e.File] = e.New
		return nil
	}
	text, read := texts[e.File]
	if !read {
		bytes, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the file to edit: %w", err)
		}
		text = string(bytes)
	}
	if n := strings.Count(text, e.Old); n != 1 {
		return fmt.Errorf("%s: the text to edit is there %d times, not once:\n%s", e.File, n, e.Old)
	}
	texts[e.File] = strings.Replace(text, e.Old, e.New, 1)
	return nil
}
