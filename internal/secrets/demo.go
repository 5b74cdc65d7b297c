package secrets

import (
	"encoding/base64"

	"payrelay/internal/gateway"
)

// DemoKeyset is the keyset of 'server dev'. Everybody can read it here, so it protects nothing.
const DemoKeyset = "CPzyjMMGEmQKWAowdHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUuY3J5cHRvLnRpbmsuQWVzR2NtS2V5EiIaINzHD4o98jn5knVcPFdwFyNP/6tGrGq02B3ZdPIx2MjpGAEQARj88ozDBiAB"

// demoProof is a ciphertext of the demo key.
const demoProof = "AWhjOXwL69HVWyQGBarUeZ6S5yAAx1aTzmpOSUhmBTU+"

// IsDemo reports whether the demo key is in set, alone or among others. A set that cannot be read is not the demo one.
func IsDemo(set gateway.Secret) bool {
	keyring, err := Open(set)
	if err != nil {
		return false
	}
	proof, err := base64.StdEncoding.DecodeString(demoProof)
	if err != nil {
		return false
	}
	_, err = keyring.Open(proof, "demo", "proof")
	return err == nil
}
