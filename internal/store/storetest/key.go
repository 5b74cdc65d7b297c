package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// sourceKey hashes what the schema is made from: go.mod, which pins the libraries that bring their own migrations, and
// every file under migrations. Where the module's files are not at hand, the running program itself stands for them.
func sourceKey() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	if root != "" {
		return keyOf(root)
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the test binary: %w", err)
	}
	h := sha256.New()
	if err := hashFile(h, filepath.Dir(self), self); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// keyOf hashes the sources of the module at root.
func keyOf(root string) (string, error) {
	h := sha256.New()
	if err := hashFile(h, root, filepath.Join(root, "go.mod")); err != nil {
		return "", err
	}
	err := filepath.WalkDir(filepath.Join(root, "migrations"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return hashFile(h, root, path)
	})
	if err != nil {
		return "", fmt.Errorf("hash the migrations: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// moduleRoot is the folder of go.mod above the working directory, empty when there is none: go test runs a test in its
// package's folder.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for go.mod: %w", err)
		}
		if filepath.Dir(dir) == dir {
			return "", nil
		}
		dir = filepath.Dir(dir)
	}
}

func hashFile(w io.Writer, root, path string) error {
	name, err := filepath.Rel(root, path)
	if err != nil {
		return fmt.Errorf("hash %s: %w", path, err)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the module's own file
	if err != nil {
		return fmt.Errorf("hash %s: %w", path, err)
	}
	// Lengths keep the end of one file from passing for the start of the next.
	_, err = fmt.Fprintf(w, "%s %d\n%s", name, len(text), text)
	return err
}
