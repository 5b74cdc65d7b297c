package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// badSyntax says what keeps a body from being one JSON value in UTF-8, and where. It does not repeat the body.
func badSyntax(body []byte) error {
	switch {
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return errors.New("a byte order mark (BOM) stands at " + position(body, 0) + ": send none")
	case bytes.HasPrefix(body, []byte("\xff\xfe")), bytes.HasPrefix(body, []byte("\xfe\xff")):
		return errors.New("it is not UTF-8: a byte order mark (BOM) of UTF-16 stands at " + position(body, 0))
	case !utf8.Valid(body):
		return errors.New("it is not UTF-8 at " + position(body, firstInvalid(body)))
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&skipped{}); err != nil {
		syntax, ok := errors.AsType[*json.SyntaxError](err)
		if !ok { // the end of the body
			return errors.New("it ends too early, at " + position(body, len(body)))
		}
		return unexpected(body, int(syntax.Offset)-1)
	}
	end := int(d.InputOffset())
	if rest := bytes.TrimLeft(body[end:], jsonSpace); len(rest) > 0 {
		return errors.New("something follows it at " + position(body, len(body)-len(rest)))
	}
	return nil
}

// skipped takes any JSON value and keeps nothing of it.
type skipped struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*skipped) UnmarshalJSON([]byte) error { return nil }

const jsonSpace = " \t\r\n"

// unexpected says what is wrong with the byte at which a body stops being JSON.
func unexpected(body []byte, at int) error {
	before := bytes.TrimRight(body[:at], jsonSpace)
	if c := body[at]; (c == '}' || c == ']') && bytes.HasSuffix(before, []byte(",")) {
		return fmt.Errorf("a comma too many stands at %s, before a closing %c", position(body, len(before)-1), c)
	}
	if body[at] == '\'' {
		return errors.New("a single quote stands at " + position(body, at) + ": names and texts have double quotes")
	}
	return errors.New("it cannot be read from " + position(body, at) + " on")
}

// position says where in a body a byte stands, as an editor counts.
func position(body []byte, at int) string {
	before := body[:at]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("line %d, column %d", 1+bytes.Count(before, []byte("\n")), 1+utf8.RuneCount(line))
}

// firstInvalid returns where a body stops being UTF-8.
func firstInvalid(body []byte) int {
	at := 0
	for at < len(body) {
		r, size := utf8.DecodeRune(body[at:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	return at
}

// halfSurrogate reports whether a JSON text, whose syntax is good, escapes half of a surrogate pair.
func halfSurrogate(raw []byte) bool {
	for at := 0; at < len(raw); at++ {
		if raw[at] != '\\' {
			continue
		}
		at++
		half := escaped(raw[at:])
		if !utf16.IsSurrogate(half) {
			continue
		}
		at += len("uXXXX")
		if at >= len(raw) || raw[at] != '\\' || utf16.DecodeRune(half, escaped(raw[at+1:])) == utf8.RuneError {
			return true
		}
		at += len("uXXXX")
	}
	return false
}

// escaped returns the code unit that an escape such as u00e9 names, 0 for another escape.
func escaped(text []byte) rune {
	if len(text) < len("uXXXX") || text[0] != 'u' {
		return 0
	}
	n, _ := strconv.ParseUint(string(text[1:len("uXXXX")]), 16, 16)
	return rune(n)
}
