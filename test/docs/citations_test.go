package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is known of a provider stands in its page of docs/providers. Everything else cites a section or rule of it, always
// with the page's name: "smartcore.md 14.4", "uapay.md 8.2 to 8.4", "smartcore.md A23 and C6".

// providerPages are the pages that can be cited.
var providerPages = []string{"docs/providers/smartcore.md", "docs/providers/uapay.md"}

const (
	// id is a section or a rule.
	id = `(?:[0-9]{1,2}(?:\.[0-9]{1,2})?|[ARCF][0-9]{1,2})`
	// between joins ids to a list.
	between = `(?:, | and | to | or )`
)

var (
	citation   = regexp.MustCompile(`\b(smartcore|uapay)\.md (` + id + `(?:` + between + id + `\b)*)`)
	mention    = regexp.MustCompile(`(?:[\w/.-]*/)?\b(smartcore|uapay)\.md\b`)
	eachID     = regexp.MustCompile(id)
	bare       = regexp.MustCompile(`\b[Ss]ections? [0-9]|\breference [0-9]|(?:^|[\s(])[ARC][0-9]{1,2}\b|(?:^|[\s(])[0-9]{1,2}\.[0-9]{1,2}(?:[\s,;:)]|\.$|\. |$)`)
	otherPage  = regexp.MustCompile(`(?:SmartCore|UAPAY) reference [0-9A-Z]`)
	ruleName   = regexp.MustCompile(`^[RC][0-9]\b`)
	ownSection = regexp.MustCompile(`\b(?:[Ss]ections? |\()([0-9]{1,2}\.[0-9]{1,2}|[0-9]{1,2}\b)|(?:^|[\s(|])([ARCF][0-9]{1,2})\b`)
)

// anchorOf is the anchor of a section or rule on its page.
func anchorOf(id string) string { return strings.ToLower(strings.ReplaceAll(id, ".", "-")) }

// TestEveryCitationExists reads the whole repository.
func TestEveryCitationExists(t *testing.T) {
	t.Parallel()
	known := citable(t)
	found, wrong := 0, []string{}
	for _, name := range files(t, ".go", ".sql", ".md", ".yaml", ".yml", ".html", "Makefile") {
		comments, literals := texts(t, name)
		for i, text := range append(comments, literals...) {
			n, faults := judge(known, text, i < len(comments) && aboutProvider(name))
			found += n
			for _, f := range faults {
				wrong = append(wrong, name+": "+f)
			}
		}
	}
	require.Empty(t, wrong, `cite as "smartcore.md 14.4", and only what docs/providers has`)
	require.Greater(t, found, 200, "the citations were not found")
}

// TestRulesThatTheCodeNamesExist is about the rules by whose names SmartCore's callbacks are rejected or verified.
func TestRulesThatTheCodeNamesExist(t *testing.T) {
	t.Parallel()
	known, named := citable(t)["smartcore"], map[string]bool{}
	for _, name := range files(t, ".go") {
		if path.Dir(name) != "internal/gateway/smartcore" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		_, literals := texts(t, name)
		for _, text := range literals {
			if rule := ruleName.FindString(text); rule != "" {
				named[rule] = true
				require.True(t, known[anchorOf(rule)], "%s: there is no rule %s", name, rule)
			}
		}
	}
	require.Contains(t, named, "R4", "the names of the rules were not found")
}

// TestProviderPagesCiteThemselves follows what the two pages say of their own sections and rules.
func TestProviderPagesCiteThemselves(t *testing.T) {
	t.Parallel()
	known := citable(t)
	for _, name := range providerPages {
		own, found := known[provider(name)], 0
		p := parsePage(read(t, name))
		for _, b := range append(p.paragraphs, p.cells...) {
			for _, m := range ownSection.FindAllStringSubmatch(inlineCode.ReplaceAllString(b.text, ""), -1) {
				cited := m[1] + m[2]
				found++
				require.True(t, own[anchorOf(cited)], "%s:%d: there is no %s", name, b.line, cited)
			}
		}
		require.Greater(t, found, 5, name)
	}
}

// TestFaultsOfCitationsAreFound shows the check texts that must not pass.
func TestFaultsOfCitationsAreFound(t *testing.T) {
	t.Parallel()
	known := map[string]map[string]bool{"smartcore": {"14-4": true, "a23": true, "7": true, "r1": true, "r6": true}, "uapay": {"8-2": true, "8-4": true}}
	for text, want := range map[string]struct{ citations, faults int }{
		"by smartcore.md 14.4, that is all": {1, 0},
		"(smartcore.md 7, A23)":             {2, 0},
		"smartcore.md R1 to R6 and 14.4":    {3, 0},
		"uapay.md 8.2 to 8.4.":              {2, 0},
		"see docs/providers/uapay.md":       {0, 0},
		"wrapped (uapay.md\n8.2)":           {1, 0},
		"about 2.5 of them, or 10.00 EUR":   {0, 0},
		"by smartcore.md 14.9":              {1, 1},
		"smartcore.md A36":                  {1, 1},
		"uapay.md A23":                      {1, 1},
		"uapay.md 8.2 to 8.5":               {2, 1},
		"by smartcore.md alone":             {0, 1},
		"the SmartCore reference 14.4":      {0, 1},
		"UAPAY reference A12":               {0, 1},
	} {
		n, faults := judge(known, text, false)
		require.Equal(t, want.citations, n, text)
		require.Len(t, faults, want.faults, text)
	}
	for text, want := range map[string]int{
		"held (14.4)": 1, "by section 2: refused": 1, "A23": 1, "rule (C3, smartcore.md A23)": 1, "as 14.4.": 1, "(smartcore.md 14.4)": 0, "TLS1.2 and v2.5.1": 0, "C2A and A2C": 0,
	} {
		_, faults := judge(known, text, true)
		require.Len(t, faults, want, text)
	}
}

// judge counts the citations of a text and lists what is wrong with them. strict texts are those about a provider: they may
// not cite without naming the page.
func judge(known map[string]map[string]bool, text string, strict bool) (citations int, faults []string) {
	text = strings.Join(strings.Fields(text), " ")
	rest := citation.ReplaceAllStringFunc(text, func(whole string) string {
		m := citation.FindStringSubmatch(whole)
		for _, cited := range eachID.FindAllString(m[2], -1) {
			citations++
			if !known[m[1]][anchorOf(cited)] {
				faults = append(faults, fmt.Sprintf("%q: %s.md has no %s", whole, m[1], cited))
			}
		}
		return ""
	})
	for _, m := range mention.FindAllString(rest, -1) {
		if !strings.Contains(m, "/") {
			faults = append(faults, fmt.Sprintf("%q in %q names no section", m, text))
		}
	}
	if otherPage.MatchString(rest) || strict && bare.MatchString(rest) {
		faults = append(faults, fmt.Sprintf("%q cites without naming the page", text))
	}
	return citations, faults
}

// provider is whose page it is.
func provider(name string) string { return strings.TrimSuffix(path.Base(name), ".md") }

// aboutProvider reports whether a file belongs to a provider's adapter or simulator.
func aboutProvider(name string) bool {
	for _, of := range []string{"internal/gateway/", "internal/sandbox/"} {
		for _, page := range providerPages {
			if strings.HasPrefix(name, of+provider(page)+"/") && strings.HasSuffix(name, ".go") {
				return true
			}
		}
	}
	return false
}

// citable lists the anchors of each provider's page.
func citable(t *testing.T) map[string]map[string]bool {
	t.Helper()
	known := map[string]map[string]bool{}
	for _, name := range providerPages {
		anchors := map[string]bool{}
		for _, m := range explicit.FindAllStringSubmatch(read(t, name), -1) {
			require.False(t, anchors[m[1]], "%s has anchor %s twice", name, m[1])
			anchors[m[1]] = true
		}
		known[provider(name)] = anchors
	}
	return known
}

// texts are the parts of a file that may cite: comments and strings of Go, everything of other files. A provider's page is
// cited and does not cite.
func texts(t *testing.T, name string) (comments, literals []string) {
	t.Helper()
	switch {
	case strings.HasPrefix(name, "docs/providers/"), path.Dir(name) == "test/docs":
		return nil, nil
	case !strings.HasSuffix(name, ".go"):
		return []string{read(t, name)}, nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, read(t, name), parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, group := range file.Comments {
		comments = append(comments, group.Text())
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && (mention.MatchString(text) || ruleName.MatchString(text)) {
				literals = append(literals, text)
			}
		}
		return true
	})
	return comments, literals
}
