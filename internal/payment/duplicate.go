package payment

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
)

// duplicateWindows are for how long an order of a kind is asked about that looks like another one.
var duplicateWindows = map[gateway.Kind]time.Duration{gateway.KindPayout: 24 * time.Hour, gateway.KindRefund: 10 * time.Minute}

// DuplicateWindow is for how long an order of this kind is compared with others, 0 if it never is.
func DuplicateWindow(kind gateway.Kind) time.Duration { return duplicateWindows[kind] }

// PossibleDuplicate asks whether an order is meant beside one that asked for the same.
func PossibleDuplicate(kind gateway.Kind, of uuid.UUID) error {
	same := "of this sum to the same destination"
	if kind == gateway.KindRefund {
		same = "of this sum for the same payment"
	}
	return &Error{
		Code: CodePossibleDuplicate, DuplicateOf: &of,
		Message: fmt.Sprintf("Order %s is a %s %s, made less than %s ago. Nothing was stored or sent. If you mean another one, send allow_duplicate: true.", of, kind, same, inWords(duplicateWindows[kind])),
	}
}

func inWords(d time.Duration) string {
	if d < time.Hour {
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.0f hours", d.Hours())
}

// fingerprint is a keyed hash of what an order asks for. Without a key there is none.
func (s *Service) fingerprint(o *Order, target ...string) []byte {
	if len(s.FingerprintKey) == 0 {
		return nil
	}
	mac := hmac.New(sha256.New, s.FingerprintKey)
	for _, part := range append([]string{string(o.Kind), o.ShopID.String(), fmt.Sprint(o.Amount.Minor()), string(o.Amount.Currency())}, target...) {
		fmt.Fprintf(mac, "%d:%s", len(part), part)
	}
	return mac.Sum(nil)
}

// cardFingerprint is a keyed hash of a card number.
func (s *Service) cardFingerprint(c *card.Card) []byte {
	if len(s.FingerprintKey) == 0 || c == nil || c.Number.IsZero() {
		return nil
	}
	return c.Number.MAC(s.FingerprintKey)
}

// payoutTarget says where a payout goes, for its fingerprint.
func (s *Service) payoutTarget(m gateway.PayoutMethod) []string {
	switch {
	case m.Card != nil:
		return []string{"card", string(s.cardFingerprint(m.Card))}
	case m.PayoutCardID != "":
		return []string{"payout_card", m.PayoutCardID}
	case m.BankAccount != nil:
		return []string{"bank_account", plain(m.BankAccount.BankCode), plain(m.BankAccount.Number)}
	}
	return []string{"phone", plain(m.Phone)}
}

// plain is a name of a destination without what its spellings differ in: "de89 3704" and "DE89-3704" are one account.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, s)
}
