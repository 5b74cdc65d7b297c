package docsite

import (
	"html"
	"regexp"
	"strings"
)

// Tokens of the languages: a comment, a text, or a word of the language.
var tokens = map[string]*regexp.Regexp{
	"sh":   regexp.MustCompile(`(?P<comment>(?:^|[ \n])#[^\n]*)|(?P<text>'[^']*'|"(?:[^"\\]|\\.)*")|(?P<word>\b(?:curl|export|go run|until|while|do|done|if|then|fi|for|in)\b)`),
	"go":   regexp.MustCompile("(?P<comment>//[^\n]*)|(?P<text>\"(?:[^\"\\\\\n]|\\\\.)*\"|`[^`]*`)|(?P<word>\\b(?:break|case|const|continue|defer|else|for|func|go|if|import|interface|map|package|range|return|struct|switch|type|var|nil|true|false)\\b)"),
	"ts":   regexp.MustCompile("(?P<comment>//[^\n]*|/\\*(?s:.*?)\\*/)|(?P<text>'(?:[^'\\\\\n]|\\\\.)*'|\"(?:[^\"\\\\\n]|\\\\.)*\"|`[^`]*`)|(?P<word>\\b(?:async|await|break|case|catch|class|const|else|export|extends|for|from|function|if|import|interface|let|new|null|of|return|throw|true|false|try|undefined)\\b)"),
	"json": regexp.MustCompile(`(?P<comment>//[^\n]*)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>\b(?:true|false|null)\b)`),
}

// highlight marks the tokens of code in HTML. Code in another language is left plain.
func highlight(language, code string) string {
	token := tokens[language]
	if token == nil {
		return html.EscapeString(code)
	}
	var out strings.Builder
	at := 0
	for _, m := range token.FindAllStringSubmatchIndex(code, -1) {
		out.WriteString(html.EscapeString(code[at:m[0]]))
		for i, class := range token.SubexpNames() {
			if class != "" && m[2*i] >= 0 {
				out.WriteString(`<span class="` + class + `">` + html.EscapeString(code[m[0]:m[1]]) + `</span>`)
			}
		}
		at = m[1]
	}
	out.WriteString(html.EscapeString(code[at:]))
	return out.String()
}
