package docsite

import (
	"bytes"
	"fmt"
	"html"
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	ghtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// rendered is a page as HTML, its addresses still as they are written.
type rendered struct {
	html     string
	contents []entry // headings of the second level
	sections []section
}

// entry is a heading in the list of contents.
type entry struct{ ID, Title string }

// section is what stands under a heading, without markup, for the search.
type section struct{ id, heading, text string }

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Strikethrough),
	goldmark.WithRendererOptions(ghtml.WithUnsafe(), renderer.WithNodeRenderers(util.Prioritized(nodes{}, 1))), // the pages are our own, and have anchors in HTML
)

// render turns a page into HTML.
func (s *Site) render(p *page) rendered {
	source := []byte(p.source)
	doc := markdown.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext()))
	var done rendered
	taken := map[string]int{}
	current := section{heading: p.title}
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			title := words(n, source)
			id := slug(title, taken)
			n.SetAttributeString("id", id)
			if n.Level == 2 {
				done.contents = append(done.contents, entry{id, title})
			}
			if n.Level > 1 {
				done.sections = append(done.sections, current)
				current = section{id: id, heading: title}
			}
			return ast.WalkContinue, nil
		case *ast.Link:
			n.Destination = []byte(s.link(p, string(n.Destination)))
		case *ast.FencedCodeBlock:
			current.text += " " + string(n.Lines().Value(source))
		case *ast.Text:
			current.text += string(n.Segment.Value(source))
			if n.SoftLineBreak() {
				current.text += " "
			}
		case *ast.String:
			current.text += string(n.Value)
		default:
			if n.Type() == ast.TypeBlock {
				current.text += " "
			}
		}
		return ast.WalkContinue, nil
	})
	done.sections = append(done.sections, current)
	groupTabs(doc, source)
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, source, doc); err != nil {
		panic(err) // a buffer takes everything
	}
	done.html = out.String()
	return done
}

// elsewhere marks a link to a file that is not served: it is shown as the file's name.
const elsewhere = "source:"

// link is where a link of a page's Markdown leads on the site.
func (s *Site) link(p *page, destination string) string {
	if strings.Contains(destination, "://") || strings.HasPrefix(destination, "#") || strings.HasPrefix(destination, "/") || strings.HasPrefix(destination, "mailto:") {
		return destination
	}
	name, fragment, _ := strings.Cut(destination, "#")
	file := path.Join("docs", path.Dir(p.file), name)
	if file == "api/openapi.yaml" {
		return "/openapi.yaml"
	}
	if below, ok := strings.CutPrefix(file, "docs/"); ok {
		if target := s.pages[addressOf(below)]; target != nil {
			if fragment != "" {
				fragment = "#" + fragment
			}
			return target.address + fragment
		}
	}
	return elsewhere + file
}

// words is the text of a node.
func words(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(b.String())
}

// slug is the anchor that a repository's web view gives a heading, so that links work in both.
func slug(title string, taken map[string]int) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
	n := taken[s]
	taken[s]++
	if n > 0 {
		return s + "-" + strconv.Itoa(n)
	}
	return s
}

// languages are those of examples that stand for each other, by the names of their tabs.
var languages = map[string]string{"sh": "curl", "go": "Go", "ts": "TypeScript"}

// tabs holds blocks of code that follow each other in different languages.
type tabs struct{ ast.BaseBlock }

var kindTabs = ast.NewNodeKind("Tabs")

func (*tabs) Kind() ast.NodeKind              { return kindTabs }
func (t *tabs) Dump(source []byte, level int) { ast.DumpHelper(t, source, level, nil, nil) }

// groupTabs puts blocks of code that follow each other in different languages into tabs.
func groupTabs(parent ast.Node, source []byte) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		var run []*ast.FencedCodeBlock
		seen := map[string]bool{}
		for next := n; next != nil; next = next.NextSibling() {
			code, ok := next.(*ast.FencedCodeBlock)
			if !ok || languages[string(code.Language(source))] == "" || seen[string(code.Language(source))] {
				break
			}
			seen[string(code.Language(source))] = true
			run = append(run, code)
		}
		if len(run) < 2 {
			if n.Type() == ast.TypeBlock && n.HasChildren() {
				groupTabs(n, source)
			}
			continue
		}
		box := &tabs{}
		parent.InsertBefore(parent, n, box)
		for _, code := range run {
			box.AppendChild(box, code)
		}
		n = box
	}
}

// nodes renders what differs from goldmark's own HTML.
type nodes struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (nodes) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, heading)
	r.Register(ast.KindLink, link)
	r.Register(ast.KindFencedCodeBlock, codeBlock)
	r.Register(kindTabs, tabBox)
	r.Register(extast.KindTable, table)
}

func heading(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	level := n.(*ast.Heading).Level
	id, _ := n.AttributeString("id")
	if entering {
		_, _ = fmt.Fprintf(w, "<h%d id=\"%s\">", level, id)
		return ast.WalkContinue, nil
	}
	if level > 1 {
		_, _ = fmt.Fprintf(w, "<a class=\"anchor\" href=\"#%s\" aria-label=\"Link to “%s”\">#</a>", id, html.EscapeString(words(n, source)))
	}
	_, _ = fmt.Fprintf(w, "</h%d>\n", level)
	return ast.WalkContinue, nil
}

func link(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	destination := string(n.(*ast.Link).Destination)
	file, outside := strings.CutPrefix(destination, elsewhere)
	switch {
	case outside && entering:
		_, _ = fmt.Fprintf(w, "<span title=\"%s in the source\">", html.EscapeString(file))
	case outside:
		_, _ = w.WriteString("</span>")
	case entering:
		_, _ = fmt.Fprintf(w, "<a href=\"%s\">", html.EscapeString(destination))
	default:
		_, _ = w.WriteString("</a>")
	}
	return ast.WalkContinue, nil
}

func codeBlock(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	language := string(n.(*ast.FencedCodeBlock).Language(source))
	_, _ = fmt.Fprintf(w, "<div class=\"code\"><pre tabindex=\"0\"><code>%s</code></pre></div>\n", highlight(language, string(n.Lines().Value(source))))
	return ast.WalkSkipChildren, nil
}

func tabBox(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		_, _ = w.WriteString("</fieldset>\n")
		return ast.WalkContinue, nil
	}
	first := n.FirstChild().(*ast.FencedCodeBlock)
	name := "tabs-" + strconv.Itoa(first.Lines().At(0).Start)
	_, _ = w.WriteString("<fieldset class=\"tabs\"><legend>Language of the example</legend>\n")
	for code := n.FirstChild(); code != nil; code = code.NextSibling() {
		language := string(code.(*ast.FencedCodeBlock).Language(source))
		checked := ""
		if code == n.FirstChild() {
			checked = " checked"
		}
		_, _ = fmt.Fprintf(w, "<input type=\"radio\" name=\"%[1]s\" id=\"%[1]s-%[2]s\" value=\"%[2]s\"%[3]s><label for=\"%[1]s-%[2]s\">%[4]s</label>\n", name, language, checked, languages[language])
	}
	return ast.WalkContinue, nil
}

func table(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString("<div class=\"table\" tabindex=\"0\"><table>\n")
	} else {
		_, _ = w.WriteString("</table></div>\n")
	}
	return ast.WalkContinue, nil
}
