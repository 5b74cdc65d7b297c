package secrets

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"payrelay/internal/gateway"
)

// Key is a key of a keyset, without its material.
type Key struct {
	ID uint32
	// Primary is the key that encrypts.
	Primary bool
	// Enabled keys decrypt. A retired one does not.
	Enabled bool
}

// Keys returns the keys of the keyring.
func (k *Keyring) Keys() []Key { return slices.Clone(k.keys) }

// Primary is the id of the key that encrypts.
func (k *Keyring) Primary() uint32 {
	for _, key := range k.keys {
		if key.Primary {
			return key.ID
		}
	}
	return 0
}

func keysOf(handle *keyset.Handle) []Key {
	info := handle.KeysetInfo()
	keys := make([]Key, len(info.GetKeyInfo()))
	for i, key := range info.GetKeyInfo() {
		keys[i] = Key{key.GetKeyId(), key.GetKeyId() == info.GetPrimaryKeyId(), key.GetStatus() == tink_go_proto.KeyStatusType_ENABLED}
	}
	return keys
}

// Prefix is how every ciphertext of a key begins.
func Prefix(key uint32) []byte { return binary.BigEndian.AppendUint32([]byte{1}, key) }

// prefixLength is the length of Prefix.
const prefixLength = 5

// KeyOf returns the key that a ciphertext needs, 0 for what is none.
func KeyOf(sealed []byte) uint32 {
	if len(sealed) < prefixLength || sealed[0] != 1 {
		return 0
	}
	return binary.BigEndian.Uint32(sealed[1:prefixLength])
}

// AddKey returns a keyset with a new key, and its id. The new key decrypts only, until Promote.
func AddKey(old gateway.Secret) (set string, id uint32, err error) {
	set, err = changed(old, func(m *keyset.Manager) (err error) {
		id, err = m.Add(aead.AES256GCMKeyTemplate())
		return err
	})
	return set, id, err
}

// Promote returns a keyset in which a key encrypts from now on. What the others encrypted still opens.
func Promote(old gateway.Secret, id uint32) (string, error) {
	return changed(old, func(m *keyset.Manager) error { return m.SetPrimary(id) })
}

// Retire returns a keyset in which a key decrypts no more. It is still there.
func Retire(old gateway.Secret, id uint32) (string, error) {
	return changed(old, func(m *keyset.Manager) error { return m.Disable(id) })
}

// Restore returns a keyset in which a retired key decrypts again.
func Restore(old gateway.Secret, id uint32) (string, error) {
	return changed(old, func(m *keyset.Manager) error { return m.Enable(id) })
}

// Destroy returns a keyset without a key.
func Destroy(old gateway.Secret, id uint32) (string, error) {
	return changed(old, func(m *keyset.Manager) error { return m.Delete(id) })
}

func changed(old gateway.Secret, change func(*keyset.Manager) error) (string, error) {
	handle, err := read(old)
	if err != nil {
		return "", err
	}
	m := keyset.NewManagerFromHandle(handle)
	if err := change(m); err != nil {
		return "", fmt.Errorf("change the keyset: %w", err)
	}
	if handle, err = m.Handle(); err != nil {
		return "", fmt.Errorf("read the new keyset: %w", err)
	}
	return write(handle)
}
