package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
)

// DataKey encrypts what rests about one owner. It rests itself, encrypted by the keyring, and nowhere else: with it goes
// everything that it encrypted. The nil key is one that was destroyed: it encrypts to nothing, and nothing is what it opens.
//
// It is AES-256-GCM with a synthetic nonce, a MAC of place and text. So a nonce repeats only with the text: equal rows have equal
// ciphertexts, and can be compared as they rest. Seal is for one goroutine at a time.
type DataKey struct {
	aead  cipher.AEAD
	mac   hash.Hash // makes the nonces
	owner string
}

const (
	aesKeyLength = 32
	macKeyLength = 16
	nonceLength  = 12
	overhead     = nonceLength + 16
	fieldDataKey = "data_key"
)

// NewDataKey returns a new key for an owner, and the key as it rests.
func (k *Keyring) NewDataKey(owner string) (key *DataKey, wrapped []byte, err error) {
	raw := make([]byte, aesKeyLength+macKeyLength)
	_, _ = rand.Read(raw)
	if wrapped, err = k.Seal(raw, owner, fieldDataKey); err != nil {
		return nil, nil, err
	}
	key, err = dataKey(raw, owner)
	return key, wrapped, err
}

// DataKey returns the key that rests as wrapped. None is the nil key.
func (k *Keyring) DataKey(wrapped []byte, owner string) (*DataKey, error) {
	if wrapped == nil {
		return nil, nil //nolint:nilnil // the nil key is a key
	}
	raw, err := k.Open(wrapped, owner, fieldDataKey)
	if err != nil {
		return nil, err
	}
	return dataKey(raw, owner)
}

func dataKey(raw []byte, owner string) (*DataKey, error) {
	if len(raw) != aesKeyLength+macKeyLength {
		return nil, fmt.Errorf("the data key of %s has %d bytes", owner, len(raw))
	}
	block, err := aes.NewCipher(raw[:aesKeyLength])
	if err != nil {
		return nil, fmt.Errorf("use the data key of %s: %w", owner, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("use the data key of %s: %w", owner, err)
	}
	return &DataKey{aead, hmac.New(sha256.New, raw[aesKeyLength:]), owner}, nil
}

// Seal encrypts plain for one place, such as "orders.details". Nil stays nil.
func (d *DataKey) Seal(plain []byte, place string) []byte {
	if d == nil || plain == nil {
		return nil
	}
	d.mac.Reset()
	d.mac.Write([]byte(place))
	d.mac.Write([]byte{0})
	d.mac.Write(plain)
	sealed := d.mac.Sum(make([]byte, 0, len(plain)+overhead+sha256.Size))[:nonceLength]
	return d.aead.Seal(sealed, sealed, plain, []byte(place))
}

// Open decrypts what Seal gave for the same place. What a key that was destroyed had encrypted is nil.
func (d *DataKey) Open(sealed []byte, place string) ([]byte, error) {
	if d == nil || sealed == nil {
		return nil, nil
	}
	err := errors.New("it is too short")
	if len(sealed) >= overhead {
		var plain []byte
		if plain, err = d.aead.Open([]byte{}, sealed[:nonceLength], sealed[nonceLength:], []byte(place)); err == nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("decrypt %s of %s: the row was altered: %w", place, d.owner, err)
}
