package orderid

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// Prefix tells people where an id comes from.
const Prefix = "pr-"

// letters are the digits of an id: no vowels, which would spell words, and nothing that looks like another letter.
const letters = "bcdfghjkmnpqrstv"

// LargestAttempt is the last attempt of an order that has an id.
const LargestAttempt = 15

// kinds are numbered from 1. The order is part of every id, so new ones come last.
var kinds = []gateway.Kind{gateway.KindPayment, gateway.KindRefund, gateway.KindPayout, gateway.KindPayoutCard, gateway.KindTransfer}

// Subject is what an id is made of.
type Subject struct {
	ShopNumber uint32 // of Shop, from 1
	Shop       uuid.UUID
	Kind       gateway.Kind
	Reference  string
	Attempt    int // from 1 to LargestAttempt
}

// Content is what can be read from an id.
type Content struct {
	ShopNumber uint32
	Kind       gateway.Kind
	Attempt    int
}

// Codec makes ids and reads them. It is safe for concurrent use.
type Codec struct {
	block   cipher.Block
	hashKey []byte
}

// New returns the codec of a secret key. Another key makes other ids, and reads none of these.
func New(key []byte) *Codec {
	block, err := aes.NewCipher(derive(key, "block"))
	if err != nil {
		panic(err) // a derived key has the right length
	}
	return &Codec{block: block, hashKey: derive(key, "hash")}
}

func derive(key []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("order id " + purpose))
	return mac.Sum(nil)
}

// Make returns the id of a subject.
func (c *Codec) Make(s Subject) (string, error) {
	kind := slices.Index(kinds, s.Kind) + 1
	if kind == 0 || s.ShopNumber == 0 || s.Attempt < 1 || s.Attempt > LargestAttempt {
		return "", fmt.Errorf("no id can be made for a %q of shop %d, attempt %d", s.Kind, s.ShopNumber, s.Attempt)
	}
	var plain [aes.BlockSize]byte
	binary.BigEndian.PutUint32(plain[:], s.ShopNumber)
	plain[4] = byte(kind<<4 | s.Attempt) //nolint:gosec // four bits each
	mac := hmac.New(sha256.New, c.hashKey)
	mac.Write(s.Shop[:])
	mac.Write([]byte{byte(kind)}) //nolint:gosec // an index of few kinds
	mac.Write([]byte(s.Reference))
	copy(plain[5:], mac.Sum(nil))
	c.block.Encrypt(plain[:], plain[:])
	return encode(plain), nil
}

// Read returns what an id says. It is false for what cannot be an id of this key. About one in three names of the right form
// that somebody else made up is read as something: whoever acts on it looks for the order, too.
func (c *Codec) Read(id string) (Content, bool) {
	sealed, ok := decode(id)
	if !ok {
		return Content{}, false
	}
	c.block.Decrypt(sealed[:], sealed[:])
	kind, attempt := int(sealed[4]>>4), int(sealed[4]&LargestAttempt)
	number := binary.BigEndian.Uint32(sealed[:])
	if kind < 1 || kind > len(kinds) || attempt == 0 || number == 0 {
		return Content{}, false
	}
	return Content{ShopNumber: number, Kind: kinds[kind-1], Attempt: attempt}, true
}

// HasForm reports whether id has the form of an id of ours, also of those that were drawn: "pr-" and 32 hexadecimal digits.
func HasForm(id string) bool {
	if _, ok := decode(id); ok {
		return true
	}
	digits, ours := strings.CutPrefix(id, Prefix)
	_, err := hex.DecodeString(digits)
	return ours && len(digits) == 2*aes.BlockSize && err == nil
}

func encode(b [aes.BlockSize]byte) string {
	text := make([]byte, 0, len(Prefix)+2*len(b))
	text = append(text, Prefix...)
	for _, x := range b {
		text = append(text, letters[x>>4], letters[x&15])
	}
	return string(text)
}

func decode(id string) (b [aes.BlockSize]byte, ok bool) {
	text, ours := strings.CutPrefix(id, Prefix)
	if !ours || len(text) != 2*len(b) {
		return b, false
	}
	for i := range text {
		digit := strings.IndexByte(letters, text[i])
		if digit < 0 {
			return b, false
		}
		b[i/2] = b[i/2]<<4 | byte(digit) //nolint:gosec // an index of sixteen letters
	}
	return b, true
}
