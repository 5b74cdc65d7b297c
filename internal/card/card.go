package card

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// ErrNumber says that a text is no card number. It never repeats the text.
var ErrNumber = errors.New("not a card number: send 12 to 19 digits with a valid check digit")

// ErrCVC says that a text is no card verification code. It never repeats the text.
var ErrCVC = errors.New("not a card verification code: send 3 or 4 digits")

const hidden = "***"

// secret is text that prints as its mask wherever it goes. The value stands behind a pointer because fmt walks into
// a struct for verbs that no Formatter gets to see, such as %p.
type secret struct {
	value *string
	mask  string
}

func (s secret) reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

func (s secret) String() string   { return s.mask }
func (s secret) GoString() string { return s.mask }

// Format prints the mask for every verb, so %x and %q do not leak either.
func (s secret) Format(f fmt.State, _ rune)            { _, _ = io.WriteString(f, s.mask) }
func (s secret) MarshalText() ([]byte, error)          { return []byte(s.mask), nil }
func (s secret) MarshalJSON() ([]byte, error)          { return json.Marshal(s.mask) }
func (s secret) MarshalBinary() ([]byte, error)        { return []byte(s.mask), nil }
func (s secret) GobEncode() ([]byte, error)            { return []byte(s.mask), nil }
func (s secret) Value() (driver.Value, error)          { return s.mask, nil }
func (s secret) MarshalZerologObject(e *zerolog.Event) { e.Str("masked", s.mask) }

// PAN is a full card number. It prints as its first six and last four digits.
type PAN struct{ secret }

// separators are what people put between the digits of a number.
var separators = strings.NewReplacer(" ", "", "-", "")

// ParsePAN accepts 12 to 19 digits with a valid Luhn check digit; single spaces and hyphens between digits are ignored.
func ParsePAN(text string) (PAN, error) {
	digits := separators.Replace(text)
	if len(digits) < 12 || len(digits) > 19 || !allDigits(digits) || !Luhn(digits) {
		return PAN{}, ErrNumber
	}
	return PAN{secret{&digits, digits[:6] + strings.Repeat("*", len(digits)-10) + digits[len(digits)-4:]}}, nil
}

// Reveal returns the full number, for the body of a call to the provider and nothing else.
func (p PAN) Reveal() string { return p.reveal() }

// MAC returns a keyed hash of the number, to recognize it by.
func (p PAN) MAC(key []byte) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, p.reveal())
	return mac.Sum(nil)
}

// IsZero reports whether no number was given.
func (p PAN) IsZero() bool { return p.reveal() == "" }

// Is reports whether digits are the full number.
func (p PAN) Is(digits string) bool { return !p.IsZero() && p.reveal() == digits }

// BIN returns the first six digits, or "".
func (p PAN) BIN() string {
	if p.IsZero() {
		return ""
	}
	return p.reveal()[:6]
}

// Leading returns what of the number may be kept in the clear beside its last four digits: the first eight of sixteen digits or more,
// and the first six of fewer.
func (p PAN) Leading() string {
	if digits := p.reveal(); len(digits) >= 16 {
		return digits[:8]
	}
	return p.BIN()
}

// Last4 returns the last four digits, or "".
func (p PAN) Last4() string {
	if p.IsZero() {
		return ""
	}
	return p.reveal()[len(p.reveal())-4:]
}

// Masked returns the first six and last four digits with stars between.
func (p PAN) Masked() string { return p.mask }

// Brand returns the card scheme by number range, as BrandOf does.
func (p PAN) Brand() string { return BrandOf(p.reveal()) }

// CVC is a card verification code. It prints as ***.
type CVC struct{ secret }

// ParseCVC accepts 3 or 4 digits.
func ParseCVC(text string) (CVC, error) {
	if len(text) < 3 || len(text) > 4 || !allDigits(text) {
		return CVC{}, ErrCVC
	}
	return CVC{secret{&text, hidden}}, nil
}

// Reveal returns the code, for the body of a call to the provider and nothing else.
func (c CVC) Reveal() string { return c.reveal() }

// IsZero reports whether no code was given.
func (c CVC) IsZero() bool { return c.reveal() == "" }

// Token is a wallet payload or another text that stands for a card, opaque to payrelay. It prints as ***.
type Token struct{ secret }

// NewToken wraps a wallet payload as it came.
func NewToken(text string) Token { return Token{secret{&text, hidden}} }

// UnmarshalText implements encoding.TextUnmarshaler. It never fails: the text is not checked yet.
func (t *Token) UnmarshalText(text []byte) error {
	*t = NewToken(string(text))
	return nil
}

// Reveal returns the payload, for the body of a call to the provider and nothing else.
func (t Token) Reveal() string { return t.reveal() }

// IsZero reports whether no payload was given.
func (t Token) IsZero() bool { return t.reveal() == "" }

// Expiry is a card's last month of validity. It is no secret by itself.
type Expiry struct {
	Month int // 1 to 12
	Year  int // four digits
}

// IsZero reports whether no expiry was given.
func (e Expiry) IsZero() bool { return e == Expiry{} }

// dayBehind is how far the last place on earth is behind UTC.
const dayBehind = 12 * time.Hour

// Over reports whether the last day of the last month has ended everywhere on earth. A card without an expiry is never over.
func (e Expiry) Over(now time.Time) bool {
	if e.Month < 1 || e.Month > 12 || e.Year < 1 {
		return false
	}
	return !now.Before(time.Date(e.Year, time.Month(e.Month)+1, 1, 0, 0, 0, 0, time.UTC).Add(dayBehind))
}

// Card is a card as a customer typed it.
type Card struct {
	Number PAN
	Expiry Expiry
	CVC    CVC
	Holder string
}

// Luhn reports whether the digits end in their Luhn check digit. It returns false for anything but digits.
func Luhn(digits string) bool {
	if !allDigits(digits) {
		return false
	}
	sum, double := 0, false
	for i := len(digits) - 1; i >= 0; i-- {
		d := int(digits[i] - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return sum%10 == 0
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
