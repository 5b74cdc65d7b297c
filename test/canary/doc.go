// Package canary sends marked card numbers to a real service, in every field and many spellings, and searches everything that
// it leaves behind. The search knows nothing of the detector: it looks for the marks as plain, grouped, UTF-16, hexadecimal and
// base64 text.
package canary
