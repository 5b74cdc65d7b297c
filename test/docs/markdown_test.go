package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// root is the repository, seen from this package.
const root = "../.."

// block is a paragraph, a list item or a cell of a table, and the line that it begins on.
type block struct {
	line int
	text string
}

// page is a Markdown file, taken apart.
type page struct {
	paragraphs, cells []block
	headings          []heading
	links             []block
	anchors           map[string]bool
}

// heading is a heading and the explicit anchor in front of it, if it has one.
type heading struct {
	block
	anchor string
}

var (
	headingLine  = regexp.MustCompile(`^#{1,6} (.*)$`)
	listItem     = regexp.MustCompile(`^\s*(?:[-*]|\d+\.) `)
	explicit     = regexp.MustCompile(`<a (?:id|name)="([^"]+)"></a>`)
	onlyAnchor   = regexp.MustCompile(`^<a (?:id|name)="([^"]+)"></a>$`)
	inlineCode   = regexp.MustCompile("`[^`]*`")
	inlineLink   = regexp.MustCompile(`\]\(([^)\s]+)(?: "[^"]*")?\)`)
	linkInTitle  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	cellBoundary = regexp.MustCompile(`(\\\|)|\|`)
)

// parsePage takes a page apart. Code blocks are left out.
func parsePage(text string) page {
	p := page{anchors: map[string]bool{}}
	slugs := map[string]int{}
	var open []string
	started, fenced, anchor := 0, false, ""
	end := func() {
		if len(open) > 0 {
			p.paragraphs = append(p.paragraphs, block{started, strings.Join(open, " ")})
		}
		open = nil
	}
	for i, line := range strings.Split(text, "\n") {
		number, trimmed := i+1, strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			end()
			fenced = !fenced
			continue
		}
		if fenced {
			continue
		}
		for _, m := range explicit.FindAllStringSubmatch(line, -1) {
			p.anchors[m[1]] = true
		}
		for _, m := range inlineLink.FindAllStringSubmatch(inlineCode.ReplaceAllString(line, "`"), -1) {
			p.links = append(p.links, block{number, m[1]})
		}
		m := headingLine.FindStringSubmatch(line)
		switch {
		case m != nil:
			end()
			p.anchors[slug(m[1], slugs)] = true
			p.headings = append(p.headings, heading{block{number, m[1]}, anchor})
			anchor = ""
		case onlyAnchor.MatchString(trimmed):
			end()
			anchor = onlyAnchor.FindStringSubmatch(trimmed)[1]
		case trimmed == "":
			end()
		case strings.HasPrefix(trimmed, "|"):
			end()
			for _, cell := range cells(trimmed) {
				p.cells = append(p.cells, block{number, cell})
			}
		default:
			if listItem.MatchString(line) {
				end()
			}
			if len(open) == 0 {
				started = number
			}
			open, anchor = append(open, trimmed), ""
		}
	}
	end()
	return p
}

// cells splits a row of a table. An escaped bar is text.
func cells(row string) []string {
	row = cellBoundary.ReplaceAllStringFunc(row, func(s string) string {
		if s == "|" {
			return "\x00"
		}
		return s
	})
	return strings.Split(strings.Trim(row, "\x00"), "\x00")
}

// slug is the anchor that GitHub gives a heading: lower case, words joined by hyphens, a number when it is taken.
func slug(title string, taken map[string]int) string {
	title = explicit.ReplaceAllString(linkInTitle.ReplaceAllString(title, "$1"), "")
	s := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(title))
	n := taken[s]
	taken[s]++
	if n > 0 {
		return s + "-" + strconv.Itoa(n)
	}
	return s
}

// files lists the repository's files whose names end in one of ext, by their paths from its root with slashes.
func files(t *testing.T, ext ...string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch entry.Name() {
		case ".git", ".payrelay", "node_modules", "bin", "dist":
			if entry.IsDir() {
				return filepath.SkipDir
			}
		}
		for _, e := range ext {
			if !entry.IsDir() && strings.HasSuffix(name, e) {
				relative, err := filepath.Rel(root, name)
				if err != nil {
					return err
				}
				found = append(found, filepath.ToSlash(relative))
			}
		}
		return nil
	}))
	return found
}

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(text)
}

// exists reports whether the repository has a file or folder of a name.
func exists(name string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
	return err == nil
}

// target is where a link of a page leads: a path from the root, and an anchor. It is empty for a link out of the repository.
func target(from, link string) (name, anchor string) {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return "", ""
	}
	name, anchor, _ = strings.Cut(link, "#")
	if name == "" {
		return from, anchor
	}
	return path.Join(path.Dir(from), name), anchor
}
