package kit

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"payrelay/internal/card/detect"
	"payrelay/internal/gateway"
)

// Redactor lists secrets of a call. No stored text may repeat them.
type Redactor []string

// longest is how much of a provider's text is stored, in characters.
const longest = 100

// Text returns s fit to be stored: without the listed secrets, anything that could be a card number, and control characters.
// It is at most 100 characters long.
func (r Redactor) Text(s string) string {
	for _, secret := range r {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	s = detect.Mask(s)
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == unicode.ReplacementChar {
			return -1
		}
		return c
	}, s)
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest])
	}
	return s
}

// The shapes of values that providers write alike.
var (
	IDShape   = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)
	DateShape = regexp.MustCompile(`^[0-9T:.Z+-]{10,35}$`)
)

// Fit returns s if it has the shape, else "".
func Fit[S ~string](s S, shape *regexp.Regexp) string {
	if shape.MatchString(string(s)) {
		return string(s)
	}
	return ""
}

// ErrCredentials is the cause of a KindCredentials error.
var ErrCredentials = errors.New("the provider refused the account's credentials")

// StatusData is the provider data of an answer of which only the HTTP status is known.
func StatusData(status int) gateway.ProviderData {
	return gateway.ProviderData{"http_status": strconv.Itoa(status)}
}

// StatusCode is the code of an error about an answer of which only the HTTP status is known.
func StatusCode(status int) string { return "http_" + strconv.Itoa(status) }
