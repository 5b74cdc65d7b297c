// Package secrets encrypts what rests in the database: providers' credentials, signing secrets and what customers are
// sent to. It uses Tink's AEAD with AES-256-GCM. Each ciphertext is bound to its owner and field, so that one that was
// copied into another row or column does not open.
//
// The keys come as one printable line, a keyset, from outside the database. A keyset may hold several keys: the
// primary one encrypts, and all that are not retired decrypt. Each ciphertext begins with the id of its key.
package secrets
