package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// How long a paragraph or list item, and a cell of a table, may be, in words.
const (
	longestParagraph = 110
	longestCell      = 40
)

// TestPagesAreShort holds every page to paragraphs and cells that can be read in one go.
func TestPagesAreShort(t *testing.T) {
	t.Parallel()
	for _, name := range files(t, ".md") {
		require.Empty(t, parsePage(read(t, name)).long(), "%s: split what is too long", name)
	}
}

// TestLinksResolve follows every link of every page that stays in the repository.
func TestLinksResolve(t *testing.T) {
	t.Parallel()
	pages := map[string]page{}
	for _, name := range files(t, ".md") {
		pages[name] = parsePage(read(t, name))
	}
	for name, p := range pages {
		require.Empty(t, p.dead(name, pages, exists), "%s: a link leads nowhere", name)
	}
}

// TestHeadingsOfProviderPagesHaveStableAnchors keeps links and citations alive when a heading is worded anew.
func TestHeadingsOfProviderPagesHaveStableAnchors(t *testing.T) {
	t.Parallel()
	for _, name := range providerPages {
		for _, h := range parsePage(read(t, name)).headings[1:] {
			number, _, _ := strings.Cut(h.text, " ")
			require.Equal(t, anchorOf(strings.TrimSuffix(number, ".")), h.anchor, "%s:%d: %s", name, h.line, h.text)
		}
	}
}

// TestDecisionRecordsAreShortAndWhole holds docs/adr to its form, and its list to what is there.
func TestDecisionRecordsAreShortAndWhole(t *testing.T) {
	t.Parallel()
	const folder = "docs/adr/"
	listed, found := parsePage(read(t, folder+"README.md")).links, 0
	for _, name := range files(t, ".md") {
		if !strings.HasPrefix(name, folder+"0") {
			continue
		}
		found++
		text := read(t, name)
		require.Less(t, len(strings.Fields(text)), 250, name)
		require.Contains(t, text, "\nStatus: ", name)
		for _, part := range []string{"Context", "Decision", "Consequences"} {
			require.Contains(t, text, "\n## "+part+"\n", name)
		}
		require.True(t, slices.ContainsFunc(listed, func(b block) bool { return folder+b.text == name }), "%s is not in the list of docs/adr/README.md", name)
	}
	require.NotZero(t, found)
}

// TestFaultsOfPagesAreFound shows the checks pages that must not pass.
func TestFaultsOfPagesAreFound(t *testing.T) {
	t.Parallel()
	words := func(n int) string { return strings.TrimSpace(strings.Repeat("word ", n)) }
	for text, want := range map[string]int{
		words(110):                                   0,
		words(111):                                   1,
		words(60) + "\n" + words(60):                 1,
		words(60) + "\n\n" + words(60):               0,
		"- " + words(109) + "\n- " + words(100):      0,
		"- " + words(60) + "\n  " + words(60):        1,
		"| " + words(40) + " | " + words(40) + " |":  0,
		"| a | " + words(41) + " |":                  1,
		"| " + words(21) + ` \| ` + words(21) + " |": 1,
		"```\n" + words(200) + "\n```":               0,
		"```\ncode\n```\n" + words(111):              1,
	} {
		require.Len(t, parsePage(text).long(), want, text)
	}
	pages := map[string]page{
		"docs/other.md": parsePage("# A title, with `code`\n\n<a id=\"a23\"></a>\n\n## Twice\n\n## Twice\n"),
	}
	there := func(name string) bool { return name == "docs/other.md" || name == "internal/card" }
	for link, want := range map[string]int{
		"other.md": 0, "other.md#a-title-with-code": 0, "other.md#a23": 0, "other.md#twice-1": 0, "../internal/card": 0, "#here": 0, "https://example.com/x#y": 0,
		"othre.md": 1, "other.md#a24": 1, "other.md#twice-2": 1, "docs/other.md": 1, "#there": 1, "../internal/cards": 1,
	} {
		p := parsePage("# Here\n\nSee [this](" + link + ").\n")
		pages["docs/page.md"] = p
		require.Len(t, p.dead("docs/page.md", pages, there), want, link)
	}
	require.Empty(t, parsePage("`[text](nowhere.md)`").links, "code is no link")
}

// long lists what of a page is too long.
func (p page) long() []string {
	var found []string
	looking := func(blocks []block, what string, most int) {
		for _, b := range blocks {
			if n := len(strings.Fields(b.text)); n > most {
				found = append(found, fmt.Sprintf("line %d: a %s of %d words, and %d are allowed", b.line, what, n, most))
			}
		}
	}
	looking(p.paragraphs, "paragraph", longestParagraph)
	looking(p.cells, "cell", longestCell)
	return found
}

// dead lists the links of a page that lead nowhere.
func (p page) dead(from string, pages map[string]page, there func(string) bool) []string {
	var found []string
	for _, link := range p.links {
		name, anchor := target(from, link.text)
		if name == "" {
			continue
		}
		other, isPage := pages[name]
		if !isPage && !there(name) || anchor != "" && isPage && !other.anchors[anchor] {
			found = append(found, fmt.Sprintf("line %d: %s", link.line, link.text))
		}
	}
	return found
}

// TestEveryPackageIsOnTheMap holds docs/architecture.md to the folders below internal and test.
func TestEveryPackageIsOnTheMap(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/architecture.md")
	for _, parent := range []string{"internal", "test"} {
		folders, err := os.ReadDir(filepath.Join(root, parent))
		require.NoError(t, err)
		for _, folder := range folders {
			name := parent + "/" + folder.Name()
			if folder.IsDir() && name != "test/docs" && name != "test/contract" {
				require.True(t, strings.Contains(text, name), "docs/architecture.md does not say what %s is", name)
			}
		}
	}
	for _, name := range regexp.MustCompile(`\b(?:internal|test)/[a-z0-9/]*[a-z0-9]`).FindAllString(text, -1) {
		require.True(t, exists(name), "docs/architecture.md names %s, which is gone", name)
	}
}
