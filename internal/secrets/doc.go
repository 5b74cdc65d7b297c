// Package secrets encrypts what rests in the database: providers' credentials, signing secrets and what customers are
// sent to. It uses Tink's AEAD with AES-256-GCM. Each ciphertext is bound to its owner and field, so that one that was
// copied into another row or column does not open.
//
// The keys come as one printable line, a keyset, from outside the database. A keyset may hold several keys: the newest
// encrypts, all decrypt, which is how keys are changed without touching rows.
package secrets
