package docsite

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"payrelay/docs"
)

// page is one page of the documentation.
type page struct {
	address     string // such as /docs/guides/refunds
	file        string // its path below docs, or where it would stand: links are resolved from there
	title       string
	name        string // in the menu
	description string
	group       *group
	source      string // Markdown
	rendered    func() rendered
	before      *page
	after       *page
	query       string // of a page of results
	unlisted    bool   // by docs/README.md, such as a decision: it is in no menu
}

// Title, Address and Listed are for the template.
func (p *page) Title() string   { return cmp.Or(p.name, p.title) }
func (p *page) Address() string { return p.address }
func (p *page) Listed() bool    { return !p.unlisted }

// group is a part of the menu.
type group struct {
	Name  string
	Pages []*page
	// weight is how much its pages count in a search.
	weight float64
}

// addressOf is where a file below docs is served.
func addressOf(file string) string {
	name := strings.TrimSuffix(file, ".md")
	if path.Base(name) == "README" {
		name = path.Dir(name)
	}
	return path.Join("/docs", name)
}

var (
	firstHeading = regexp.MustCompile(`(?m)^# (.+)$`)
	menuHeading  = regexp.MustCompile(`^## (.+)$`)
	menuItem     = regexp.MustCompile(`^- \[([^\]]+)\]\(([^)#]+\.md)\): (.+)$`)
)

// readPages reads the pages below docs, by the names of their files.
func readPages() (map[string]*page, error) {
	files := map[string]*page{}
	err := fs.WalkDir(docs.Pages, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := docs.Pages.ReadFile(name)
		if err != nil {
			return err
		}
		title := firstHeading.FindSubmatch(text)
		if title == nil {
			return fmt.Errorf("docs/%s has no title", name)
		}
		files[name] = &page{address: addressOf(name), file: name, title: plain(string(title[1])), source: string(text)}
		return nil
	})
	return files, err
}

// readMenu reads the menu from the lists of docs/README.md.
func readMenu(files map[string]*page) ([]group, error) {
	start := files["README.md"]
	menu := []group{{Name: "Start", Pages: []*page{start}, weight: 2}}
	name := ""
	for line := range strings.Lines(start.source) {
		line = strings.TrimSpace(line)
		if m := menuHeading.FindStringSubmatch(line); m != nil {
			name = m[1]
		} else if m := menuItem.FindStringSubmatch(line); m != nil {
			p := files[path.Clean(m[2])]
			if p == nil {
				return nil, fmt.Errorf("docs/README.md lists %s, which is not there", m[2])
			}
			if menu[len(menu)-1].Name != name {
				menu = append(menu, group{Name: name, weight: 1})
			}
			p.name, p.description = plain(m[1]), plain(m[3])
			last := &menu[len(menu)-1]
			last.Pages = append(last.Pages, p)
		}
	}
	return menu, nil
}

// load reads the pages and puts them in their order.
func (s *Site) load(contract *openapi3.T) error {
	files, err := readPages()
	if err != nil {
		return err
	}
	if s.menu, err = readMenu(files); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if p := files[name]; !s.lists(p) {
			p.unlisted = true
			g := s.groupOf(p)
			g.Pages = append(g.Pages, p)
		}
	}
	reference := group{Name: "Reference", Pages: referencePages(contract), weight: 1}
	s.menu = append(s.menu[:2:2], append([]group{reference}, s.menu[2:]...)...)
	s.menu[1].weight = 1.5 // guides
	s.pages = map[string]*page{}
	var last *page
	for i := range s.menu {
		for _, p := range s.menu[i].Pages {
			p.group, p.before = &s.menu[i], last
			if last != nil {
				last.after = p
			}
			last = p
			p.rendered = sync.OnceValue(func() rendered { return s.render(p) })
			s.pages[p.address] = p
		}
	}
	return nil
}

func (s *Site) lists(p *page) bool {
	return slices.ContainsFunc(s.menu, func(g group) bool { return slices.Contains(g.Pages, p) })
}

// groupOf finds the group of a page that no list has: that of its folder's page, or else the last one.
func (s *Site) groupOf(p *page) *group {
	for i := range s.menu {
		for _, other := range s.menu[i].Pages {
			if other.address == path.Dir(p.address) && other.address != "/docs" {
				return &s.menu[i]
			}
		}
	}
	return &s.menu[len(s.menu)-1]
}

var (
	markup     = regexp.MustCompile("[`*]")
	linkMarkup = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	anchorTag  = regexp.MustCompile(`<a (?:id|name)="[^"]*"></a>`)
)

// plain is a line of Markdown without its markup.
func plain(text string) string {
	return strings.TrimSpace(markup.ReplaceAllString(linkMarkup.ReplaceAllString(anchorTag.ReplaceAllString(text, ""), "$1"), ""))
}
