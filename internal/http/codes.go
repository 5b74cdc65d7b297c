package httpapi

import (
	"html"
	"html/template"
	"regexp"
	"strconv"
)

// errorCode is what the contract says of one code of a problem. A code may come with several statuses.
type errorCode struct {
	Code  string
	Cases []errorCase
}

type errorCase struct {
	Status      int
	Cause, Cure template.HTML
}

var (
	codeRow   = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([0-9]{3}) \\| (.+) \\| (.+) \\|$")
	codeWords = regexp.MustCompile("`([^`]+)`")
)

// errorCodes reads the contract's table of codes, the one place where they are explained.
func errorCodes(description string) []errorCode {
	var codes []errorCode
	for _, row := range codeRow.FindAllStringSubmatch(description, -1) {
		if len(codes) == 0 || codes[len(codes)-1].Code != row[1] {
			codes = append(codes, errorCode{Code: row[1]})
		}
		status, _ := strconv.Atoi(row[2]) // three digits
		last := &codes[len(codes)-1]
		last.Cases = append(last.Cases, errorCase{status, codeHTML(row[3]), codeHTML(row[4])})
	}
	return codes
}

// codeHTML turns a cell of the table into HTML. Of Markdown it knows only the words in backticks.
func codeHTML(cell string) template.HTML {
	return template.HTML(codeWords.ReplaceAllString(html.EscapeString(cell), "<code>$1</code>")) //nolint:gosec // escaped, and our own
}
