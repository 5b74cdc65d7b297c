package detect

import (
	"strconv"
	"strings"
)

// code is a number that may be the code of a character, and where it stands.
type code struct {
	number   string
	from, to int
}

// shortestRow is as long as a row of the shortest codes, with something between them.
const shortestRow = shortestReadable*len("34 ") - 1

// codeBases are hexadecimal, decimal and octal numbers.
var codeBases = [...]int{16, 10, 8}

var alphanumeric = newAlphabet("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

// fromCodes decodes rows of characters' codes, such as 34:30:31, 0x34, 0x30 or 52 48 49.
func fromCodes(src source) (out []source) {
	if len(src.text) < shortestRow {
		return nil
	}
	var row []code
	for from := 0; from < len(src.text); {
		to := from
		for to < len(src.text) && alphanumeric[src.text[to]] {
			to++
		}
		if to == from {
			from++
			continue
		}
		number := codeNumber(src.text[from:to])
		if n := len(row); n > 0 && (number == "" || from-row[n-1].to > furthest) {
			out = append(out, decodedRow(src, row)...)
			row = row[:0]
		}
		if number != "" {
			row = append(row, code{number, from, to})
		}
		from = to
	}
	return append(out, decodedRow(src, row)...)
}

// codeNumber returns the digits of a word that may be a code, "" of any other.
func codeNumber(word string) string {
	if len(word) > len("0x34") {
		return ""
	}
	number := strings.TrimPrefix(strings.TrimPrefix(word, "0x"), "0X")
	if len(number) < 2 || len(number) > 3 {
		return ""
	}
	for i := range len(number) {
		if !hexAlphabet[number[i]] {
			return ""
		}
	}
	return number
}

// decodedRow reads a row of codes to each base, and returns what can be read.
func decodedRow(src source, row []code) (out []source) {
	if len(row) < shortestReadable {
		return nil
	}
	for _, base := range codeBases {
		text, at := make([]byte, len(row)), make([]place, len(row))
		for i, c := range row {
			n, _ := strconv.ParseUint(c.number, base, 8) // what is none cannot be read
			text[i], at[i] = byte(n), src.where(c.from, c.to)
		}
		if readable(text) {
			out = append(out, source{text: string(text), at: at, encoded: true})
		}
	}
	return out
}

// mayBeCodes reports whether a text may have as many numbers with the sign of hexadecimal ones as a card number has digits.
func mayBeCodes(text string) bool {
	return len(text) >= shortestRow && strings.Count(text, "x")+strings.Count(text, "X") >= shortestReadable
}
