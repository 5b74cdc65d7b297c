package country

import (
	"fmt"
	"slices"
	"strings"
)

// codes are those of ISO 3166-1 alpha-2 as of 2023-04-05, the last change to them, in their order. A test compares them with the
// dated copy in testdata.
var codes = strings.Fields(`
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ
BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM
DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS
GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ
MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS YE YT ZA ZM ZW
`)

// others are what people and lists write for a country in the place of its code: a code that is reserved or was withdrawn.
var others = map[string]string{
	"UK": "GB", "EL": "GR", "SU": "RU", "YU": "RS", "CS": "RS", "DD": "DE", "FX": "FR", "TP": "TL", "ZR": "CD", "BU": "MM", "AN": "CW",
}

// Known reports whether a text is the code of a country.
func Known(code string) bool { return Number(code) > 0 }

// Number is the place of a country's code among all of them, from 1 on, and 0 for a text that is none.
func Number(code string) int {
	i, found := slices.BinarySearch(codes, code)
	if !found {
		return 0
	}
	return i + 1
}

// Code is the code with a number, "" for 0.
func Code(number int) string {
	if number == 0 {
		return ""
	}
	return codes[number-1]
}

// Problem says what is wrong with a text that is no code, and which one it may stand for.
func Problem(text string) string {
	upper := strings.ToUpper(strings.TrimSpace(text))
	if code, ok := others[upper]; ok {
		upper = code
	}
	if Known(upper) {
		return fmt.Sprintf("%q is no country of ISO 3166-1: did you mean %q?", text, upper)
	}
	return fmt.Sprintf("%.20q is no country of ISO 3166-1: write two capital letters, such as GB", text)
}
