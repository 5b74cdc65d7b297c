package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const moduleName = "payrelay"

// root is the module's folder.
var root = filepath.Join("..", "..")

// pkg is one package of this module. Imports of this module are written without the module's name.
type pkg struct {
	imports     []string
	testImports []string
	// dir and files are where its sources are, tests left out.
	dir   string
	files []string
}

type listed struct {
	tree    map[string]*pkg
	exports map[string]string
	err     error
}

// list asks the go command once for the packages of this module and for the compiled types of all they use.
var list = sync.OnceValue(func() listed {
	if err := watch(); err != nil {
		return listed{err: err}
	}
	// With -e a package that does not build keeps quiet here: its own test says so, louder.
	cmd := exec.Command("go", "list", "-e", "-deps", "-export",
		"-json=ImportPath,Dir,GoFiles,CgoFiles,Imports,TestImports,XTestImports,Export,Module", "./...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return listed{err: &listError{err, stderr.String()}}
	}
	l := listed{tree: map[string]*pkg{}, exports: map[string]string{}}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir, Export                               string
			GoFiles, CgoFiles, Imports, TestImports, XTestImports []string
			Module                                                *struct{ Path string }
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return l
		} else if err != nil {
			return listed{err: err}
		}
		l.exports[p.ImportPath] = p.Export
		if p.Module != nil && p.Module.Path == moduleName {
			l.tree[short(p.ImportPath)] = &pkg{
				imports:     shorten(p.Imports),
				testImports: shorten(append(p.TestImports, p.XTestImports...)),
				dir:         p.Dir,
				files:       append(p.GoFiles, p.CgoFiles...),
			}
		}
	}
})

// watch looks at every folder of the module, so that go test runs these tests again when a file has changed instead of
// giving its cached answer: it sees what this process reads, not what the go command reads for it.
func watch() error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
}

type listError struct {
	err    error
	stderr string
}

func (e *listError) Error() string { return "go list: " + e.err.Error() + "\n" + e.stderr }
func (e *listError) Unwrap() error { return e.err }

func module(t *testing.T) map[string]*pkg {
	t.Helper()
	l := list()
	require.NoError(t, l.err)
	require.NotEmpty(t, l.tree)
	return l.tree
}

func short(path string) string { return strings.TrimPrefix(path, moduleName+"/") }

func shorten(paths []string) []string {
	all := make([]string, len(paths))
	for i, path := range paths {
		all[i] = short(path)
	}
	return all
}
