package docsite

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	"payrelay/internal/plural"
)

// index is where each word is.
type index struct {
	sections []*indexed
	// found are the sections of a word, and what it counts for in each.
	found map[string]map[int]count
}

// indexed is a section with its page.
type indexed struct {
	section
	page *page
	size float64 // in words
}

// count is how often a word is in the text of a section, and what it counts for because of the headings above.
type count struct{ text, headings float64 }

// What a word of a heading counts for. A word of the text counts for less than 1, however often it is there.
const (
	inTitle    = 4   // of the page, for its beginning
	inPage     = 1.5 // of the page, for its other sections
	inHeading  = 2
	ofSections = 200.0 // words make the usual section
)

// longestQuery is how many words of a query count.
const longestQuery = 10

// results is how many pages a search shows.
const results = 12

func newIndex(menu []group) *index {
	x := &index{found: map[string]map[int]count{}}
	for _, g := range menu {
		for _, p := range g.Pages {
			about := terms(p.title + " " + p.description)
			for i, s := range p.rendered().sections {
				n := len(x.sections)
				text := terms(s.text)
				x.sections = append(x.sections, &indexed{s, p, float64(len(text))})
				x.add(n, text, count{text: 1})
				if i == 0 {
					x.add(n, about, count{headings: inTitle})
				} else {
					x.add(n, about, count{headings: inPage})
					x.add(n, terms(s.heading), count{headings: inHeading})
				}
			}
		}
	}
	return x
}

func (x *index) add(section int, words []string, more count) {
	for _, word := range words {
		if x.found[word] == nil {
			x.found[word] = map[int]count{}
		}
		c := x.found[word][section]
		x.found[word][section] = count{c.text + more.text, max(c.headings, more.headings)}
	}
}

// hit is the best section of a page for a query.
type hit struct {
	*indexed
	score float64
}

// search returns the best pages for a query, the best first. A section that has more of the words comes before one that has
// fewer.
func (x *index) search(query string) []hit {
	asked := terms(query)
	asked = asked[:min(len(asked), longestQuery)]
	scores := map[int]float64{}
	matched := map[int]float64{}
	for _, word := range asked {
		sections := x.sectionsOf(word)
		rare := math.Log(1 + float64(len(x.sections))/float64(1+len(sections)))
		for n, c := range sections {
			scores[n] += rare * (c.headings + c.text/(c.text+1+x.sections[n].size/ofSections))
			matched[n]++
		}
	}
	best := map[*page]hit{}
	for n, score := range scores {
		s := x.sections[n]
		share := matched[n] / float64(len(asked))
		score *= share * share * s.page.group.weight
		if h, ok := best[s.page]; !ok || score > h.score {
			best[s.page] = hit{s, score}
		}
	}
	hits := slices.SortedFunc(maps.Values(best), func(a, b hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.page.address, b.page.address))
	})
	return hits[:min(len(hits), results)]
}

// sectionsOf finds a word, or else the words that begin with it.
func (x *index) sectionsOf(word string) map[int]count {
	if sections := x.found[word]; sections != nil || len(word) < 3 {
		return sections
	}
	all := map[int]count{}
	for other, sections := range x.found {
		if strings.HasPrefix(other, word) {
			for n, c := range sections {
				all[n] = count{all[n].text + c.text, max(all[n].headings, c.headings)}
			}
		}
	}
	return all
}

// same are words that newcomers use, and what the pages say for them.
var same = map[string]string{
	"webhook": "notification", "chargeback": "dispute", "preauthorization": "hold", "authorisation": "hold", "subscription": "recurring",
	"token": "key", "retry": "idempotency", "install": "start", "quickstart": "first", "sandbox": "simulate", "simulator": "simulate", "disbursement": "payout",
	"gdpr": "erase", "erasure": "erase", "delete": "erase", "partial": "part", "timeout": "time", "3ds": "secure", "uah": "hryvnia",
}

// ordinary are words that say nothing of a page.
var ordinary = map[string]bool{
	"a": true, "an": true, "and": true, "are": true, "be": true, "by": true, "can": true, "do": true, "does": true, "for": true, "how": true, "i": true, "in": true, "is": true, "it": true,
	"my": true, "of": true, "on": true, "or": true, "that": true, "the": true, "to": true, "what": true, "when": true, "where": true, "why": true, "with": true, "you": true, "your": true,
}

// terms are the words of a text, in the form in which they are compared.
func terms(text string) []string {
	var words []string
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if ordinary[word] {
			continue
		}
		singular := strings.TrimSuffix(word, "s")
		words = append(words, stem(cmp.Or(same[word], same[singular], word)))
	}
	return words
}

// stem takes the usual endings off an English word.
func stem(word string) string {
	for _, ending := range []struct{ from, to string }{{"ies", "y"}, {"sses", "ss"}, {"ss", "ss"}, {"us", "us"}, {"es", "e"}, {"s", ""}} {
		if base, ok := strings.CutSuffix(word, ending.from); ok && len(base) > 2 {
			word = base + ending.to
			break
		}
	}
	for _, ending := range []string{"ing", "ed", "e"} {
		if base, ok := strings.CutSuffix(word, ending); ok && len(base) > 3 {
			return base
		}
	}
	return word
}

// searched is the page of results.
func (s *Site) searched(query string) *page {
	p := &page{address: "/docs/search", title: "Search", query: query}
	var b strings.Builder
	b.WriteString("<h1>Search</h1>\n")
	asked := html.EscapeString(query)
	if len(terms(query)) == 0 {
		b.WriteString("<p>Type a word, such as <a href=\"/docs/search?q=refund\">refund</a>, into the field at the top.</p>\n")
	} else if hits := s.index().search(query); len(hits) == 0 {
		fmt.Fprintf(&b, "<p role=\"status\">No page has “%s”. Try a shorter word, or the <a href=\"/docs/reference\">reference</a>.</p>\n", asked)
	} else {
		p.title = "Search: " + query
		fmt.Fprintf(&b, "<p role=\"status\">The best %s for “%s”:</p>\n<ol class=\"results\">\n", plural.Of(len(hits), "page", "pages"), asked)
		for _, h := range hits {
			address, heading := h.page.address, h.page.title
			if h.id != "" {
				address, heading = address+"#"+h.id, heading+": "+h.heading
			}
			fmt.Fprintf(&b, "<li><a href=\"%s\">%s</a><span>%s</span><p>%s</p></li>\n", html.EscapeString(address), html.EscapeString(heading), html.EscapeString(h.page.group.Name), excerpt(h.text, query))
		}
		b.WriteString("</ol>\n")
	}
	p.rendered = func() rendered { return rendered{html: b.String()} }
	return p
}

// excerpt is the part of a text where the words of a query are, which are marked.
func excerpt(text, query string) string {
	words := strings.Fields(text)
	asked := terms(query)
	is := func(word string) bool {
		for _, term := range terms(word) {
			if slices.ContainsFunc(asked, func(a string) bool { return strings.HasPrefix(term, a) }) {
				return true
			}
		}
		return false
	}
	from := max(0, slices.IndexFunc(words, is)-8)
	to := min(len(words), from+32)
	var b strings.Builder
	if from > 0 {
		b.WriteString("… ")
	}
	for _, word := range words[from:to] {
		if is(word) {
			b.WriteString("<mark>" + html.EscapeString(word) + "</mark> ")
		} else {
			b.WriteString(html.EscapeString(word) + " ")
		}
	}
	if to < len(words) {
		b.WriteString("…")
	}
	return b.String()
}
