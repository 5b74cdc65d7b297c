package uapay

// The codes that are attested (uapay.md 3.3).
const (
	CodeTimeLimit = "TIMELIMIT_ERROR"
	CodeFormat    = "FORMAT_ERROR"
	FieldRequired = "REQUIRED"
)

// Codes of the simulator's own: the provider's list is not known, so an adapter must
// not depend on any of them. InventedCodes explains each.
const (
	FieldFormat         = "FORMAT"
	CodeTokenRequired   = "TOKEN_REQUIRED"
	CodeSignature       = "SIGNATURE_ERROR"
	CodeTokenMismatch   = "TOKEN_MISMATCH"
	CodeClientNotFound  = "CLIENT_NOT_FOUND"
	CodeSessionNotFound = "SESSION_NOT_FOUND"
	CodeSessionExpired  = "SESSION_EXPIRED"
	CodeMethodNotFound  = "METHOD_NOT_FOUND"
	CodeNotFound        = "NOT_FOUND"
	CodeDuplicate       = "DUPLICATE_ERROR"
	CodeState           = "STATE_ERROR"
	CodeAmount          = "AMOUNT_ERROR"
	CodeConfirm         = "CODE_ERROR"
	CodeKey             = "KEY_ERROR"
)

// Invented is one code of the simulator's own.
type Invented struct{ Code, Meaning string }

// InventedCodes is the one table of error codes that no source attests.
func InventedCodes() []Invented {
	return []Invented{
		{FieldFormat, "field code: present but malformed"},
		{CodeTokenRequired, "a client with a key sent no token"},
		{CodeSignature, "the token is not signed with this key by HS256"},
		{CodeTokenMismatch, "params or data differ from those in the token"},
		{CodeClientNotFound, "no such clientId"},
		{CodeSessionNotFound, "no such session"},
		{CodeSessionExpired, "the session is over"},
		{CodeMethodNotFound, "no such method"},
		{CodeNotFound, "no such invoice, payment, transfer or card of this client"},
		{CodeDuplicate, "the externalId is in use"},
		{CodeState, "not possible in the present state"},
		{CodeAmount, "more than held, or more than is left"},
		{CodeConfirm, "wrong confirmation code"},
		{CodeKey, "not the key of this payment"},
	}
}
