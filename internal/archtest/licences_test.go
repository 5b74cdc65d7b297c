package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/licensecheck"
	"github.com/stretchr/testify/require"
)

// usualLicences are those that a module may have without being named here. All of them allow what we do, and ask for the text to
// be passed on.
var usualLicences = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// unusualLicences are the exceptions, each with the reason why it is fine.
var unusualLicences = map[string]string{}

// TestLicencesOfProduction reads the licence of every module that a production build links.
func TestLicencesOfProduction(t *testing.T) {
	t.Parallel()
	folders := map[string]string{}
	for _, p := range productionDeps(t) {
		folders[p.module] = p.folder
	}
	for _, module := range productionModules {
		found := licencesOf(t, folders[module])
		require.NotEmpty(t, found, "%s has no licence that can be told", module)
		if _, excepted := unusualLicences[module]; excepted {
			continue
		}
		require.Subset(t, usualLicences, found, "%s: may we use it? Say why in unusualLicences", module)
	}
	for module := range unusualLicences {
		require.Contains(t, productionModules, module)
	}
}

// licencesOf returns the licences in a module's own folder.
func licencesOf(t *testing.T, folder string) []string {
	t.Helper()
	require.NotEmpty(t, folder)
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	var found []string
	for _, f := range files {
		name := strings.ToUpper(f.Name())
		if f.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		require.NoError(t, err)
		for _, m := range licensecheck.Scan(text).Match {
			if !m.IsURL {
				found = append(found, m.ID)
			}
		}
	}
	return found
}
