package secrets

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"payrelay/internal/gateway"
)

// Keyring encrypts and decrypts. It is safe for concurrent use.
type Keyring struct {
	aead tink.AEAD
	keys []Key
}

// NewKeyset returns a keyset with one new key, as one printable line.
func NewKeyset() (string, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	return write(handle)
}

// Open returns a keyring over a keyset. The error says what is wrong with it and never shows it.
func Open(set gateway.Secret) (*Keyring, error) {
	handle, err := read(set)
	if err != nil {
		return nil, err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("the keyset holds no keys for encryption: make one with 'server keyset new'")
	}
	return &Keyring{primitive, keysOf(handle)}, nil
}

// Seal encrypts plain for one field of one owner, such as "order/<id>" and "next_action". Two calls never give the same.
func (k *Keyring) Seal(plain []byte, owner, field string) ([]byte, error) {
	sealed, err := k.aead.Encrypt(plain, bound(owner, field))
	if err != nil {
		return nil, fmt.Errorf("encrypt %s of %s: %w", field, owner, err)
	}
	return sealed, nil
}

// Open decrypts what Seal gave for the same owner and field. Anything else is an error.
func (k *Keyring) Open(sealed []byte, owner, field string) ([]byte, error) {
	plain, err := k.aead.Decrypt(sealed, bound(owner, field))
	if err != nil {
		return nil, fmt.Errorf("decrypt %s of %s: the keyset is another one, or the row was altered: %w", field, owner, err)
	}
	return plain, nil
}

func bound(owner, field string) []byte { return []byte(owner + "/" + field) }

func read(set gateway.Secret) (*keyset.Handle, error) {
	text := strings.TrimSpace(set.Reveal())
	if text == "" {
		return nil, errors.New("the keyset is empty: make one with 'server keyset new'")
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the keyset is not one line of base64 as 'server keyset new' prints it")
	}
	// Tink's own errors may quote what they read, so they are not passed on.
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(raw)))
	if err != nil {
		return nil, errors.New("the keyset cannot be read: it is cut off, or no keyset")
	}
	return handle, nil
}

func write(handle *keyset.Handle) (string, error) {
	var raw bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&raw)); err != nil {
		return "", fmt.Errorf("write the keyset: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw.Bytes()), nil
}
