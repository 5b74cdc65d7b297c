package money

import "errors"

// Currency is an ISO 4217 alpha-3 code in capitals, such as "EUR".
type Currency string

// Errors of a currency that was named from outside. They are safe to show and do not repeat what was sent.
var (
	errUnknown   = errors.New("is not a currency: send an ISO 4217 code in capitals, such as EUR")
	errWithdrawn = errors.New("is out of circulation: ISO 4217 has withdrawn it")
)

// ParseCurrency returns the currency named by text, for something new: one that was withdrawn is refused.
func ParseCurrency(text string) (Currency, error) {
	c, err := KnownCurrency(text)
	if err == nil && !c.Circulates() {
		return "", errWithdrawn
	}
	return c, err
}

// KnownCurrency returns the currency named by text, for something that exists already: one that was withdrawn since is as
// good as another.
func KnownCurrency(text string) (Currency, error) {
	if c := Currency(text); c.Valid() {
		return c, nil
	}
	return "", errUnknown
}

// Valid reports whether the currency is or was in circulation.
func (c Currency) Valid() bool { _, ok := c.info(); return ok }

// Circulates reports whether ISO 4217 lists the currency as one in circulation.
func (c Currency) Circulates() bool { _, ok := currencies[c]; return ok }

// Exponent returns how many decimals the minor unit stands for: 2 for EUR, 0 for JPY, 3 for KWD.
func (c Currency) Exponent() (int, bool) {
	i, ok := c.info()
	return int(i.exponent), ok
}

// Numeric returns the three-digit ISO 4217 number as an integer: 978 for EUR.
func (c Currency) Numeric() (int, bool) {
	i, ok := c.info()
	return int(i.numeric), ok
}

func (c Currency) info() (info, bool) {
	if i, ok := currencies[c]; ok {
		return i, true
	}
	i, ok := withdrawn[c]
	return i, ok
}

type info struct {
	exponent uint8
	numeric  uint16
}

// withdrawn are the currencies that left the standard since 2017: orders made before are still read. When a currency
// leaves, its line moves here.
var withdrawn = map[Currency]info{
	"ANG": {2, 532}, // 2025-03
	"BGN": {2, 975}, // 2026-01
	"BYR": {0, 974}, // 2017-01
	"CUC": {2, 931}, // 2021-06
	"HRK": {2, 191}, // 2023-01
	"MRO": {2, 478}, // 2017-12
	"SLL": {2, 694}, // 2023-12
	"STD": {2, 678}, // 2017-12
	"VEF": {2, 937}, // 2018-08
	"ZWL": {2, 932}, // 2024-09
}

// currencies is ISO 4217 as published on 2026-09-17, without funds codes, metals and test codes. A test compares it with
// the copy of the standard's table in testdata.
var currencies = map[Currency]info{
	"AED": {2, 784},
	"AFN": {2, 971},
	"ALL": {2, 8},
	"AMD": {2, 51},
	"AOA": {2, 973},
	"ARS": {2, 32},
	"AUD": {2, 36},
	"AWG": {2, 533},
	"AZN": {2, 944},
	"BAM": {2, 977},
	"BBD": {2, 52},
	"BDT": {2, 50},
	"BHD": {3, 48},
	"BIF": {0, 108},
	"BMD": {2, 60},
	"BND": {2, 96},
	"BOB": {2, 68},
	"BRL": {2, 986},
	"BSD": {2, 44},
	"BTN": {2, 64},
	"BWP": {2, 72},
	"BYN": {2, 933},
	"BZD": {2, 84},
	"CAD": {2, 124},
	"CDF": {2, 976},
	"CHF": {2, 756},
	"CLP": {0, 152},
	"CNY": {2, 156},
	"COP": {2, 170},
	"CRC": {2, 188},
	"CUP": {2, 192},
	"CVE": {2, 132},
	"CZK": {2, 203},
	"DJF": {0, 262},
	"DKK": {2, 208},
	"DOP": {2, 214},
	"DZD": {2, 12},
	"EGP": {2, 818},
	"ERN": {2, 232},
	"ETB": {2, 230},
	"EUR": {2, 978},
	"FJD": {2, 242},
	"FKP": {2, 238},
	"GBP": {2, 826},
	"GEL": {2, 981},
	"GHS": {2, 936},
	"GIP": {2, 292},
	"GMD": {2, 270},
	"GNF": {0, 324},
	"GTQ": {2, 320},
	"GYD": {2, 328},
	"HKD": {2, 344},
	"HNL": {2, 340},
	"HTG": {2, 332},
	"HUF": {2, 348},
	"IDR": {2, 360},
	"ILS": {2, 376},
	"INR": {2, 356},
	"IQD": {3, 368},
	"IRR": {2, 364},
	"ISK": {0, 352},
	"JMD": {2, 388},
	"JOD": {3, 400},
	"JPY": {0, 392},
	"KES": {2, 404},
	"KGS": {2, 417},
	"KHR": {2, 116},
	"KMF": {0, 174},
	"KPW": {2, 408},
	"KRW": {0, 410},
	"KWD": {3, 414},
	"KYD": {2, 136},
	"KZT": {2, 398},
	"LAK": {2, 418},
	"LBP": {2, 422},
	"LKR": {2, 144},
	"LRD": {2, 430},
	"LSL": {2, 426},
	"LYD": {3, 434},
	"MAD": {2, 504},
	"MDL": {2, 498},
	"MGA": {2, 969},
	"MKD": {2, 807},
	"MMK": {2, 104},
	"MNT": {2, 496},
	"MOP": {2, 446},
	"MRU": {2, 929},
	"MUR": {2, 480},
	"MVR": {2, 462},
	"MWK": {2, 454},
	"MXN": {2, 484},
	"MYR": {2, 458},
	"MZN": {2, 943},
	"NAD": {2, 516},
	"NGN": {2, 566},
	"NIO": {2, 558},
	"NOK": {2, 578},
	"NPR": {2, 524},
	"NZD": {2, 554},
	"OMR": {3, 512},
	"PAB": {2, 590},
	"PEN": {2, 604},
	"PGK": {2, 598},
	"PHP": {2, 608},
	"PKR": {2, 586},
	"PLN": {2, 985},
	"PYG": {0, 600},
	"QAR": {2, 634},
	"RON": {2, 946},
	"RSD": {2, 941},
	"RUB": {2, 643},
	"RWF": {0, 646},
	"SAR": {2, 682},
	"SBD": {2, 90},
	"SCR": {2, 690},
	"SDG": {2, 938},
	"SEK": {2, 752},
	"SGD": {2, 702},
	"SHP": {2, 654},
	"SLE": {2, 925},
	"SOS": {2, 706},
	"SRD": {2, 968},
	"SSP": {2, 728},
	"STN": {2, 930},
	"SVC": {2, 222},
	"SYP": {2, 760},
	"SZL": {2, 748},
	"THB": {2, 764},
	"TJS": {2, 972},
	"TMT": {2, 934},
	"TND": {3, 788},
	"TOP": {2, 776},
	"TRY": {2, 949},
	"TTD": {2, 780},
	"TWD": {2, 901},
	"TZS": {2, 834},
	"UAH": {2, 980},
	"UGX": {0, 800},
	"USD": {2, 840},
	"UYU": {2, 858},
	"UZS": {2, 860},
	"VED": {2, 926},
	"VES": {2, 928},
	"VND": {0, 704},
	"VUV": {0, 548},
	"WST": {2, 882},
	"XAF": {0, 950},
	"XCD": {2, 951},
	"XCG": {2, 532},
	"XOF": {0, 952},
	"XPF": {0, 953},
	"YER": {2, 886},
	"ZAR": {2, 710},
	"ZMW": {2, 967},
	"ZWG": {2, 924},
}
