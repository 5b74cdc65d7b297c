package gateway

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrorKind says what is known when a provider gave no result.
type ErrorKind int

// The kinds of error. The zero kind is the cautious one.
const (
	// KindUnknown: something may have happened at the provider. Ask before anything else.
	KindUnknown ErrorKind = iota
	// KindNotSent: not a byte of the request left this machine. Sending again is safe.
	KindNotSent
	// KindNotFound: the provider does not know the order.
	KindNotFound
	// KindDuplicate: the provider has an order of this id already.
	KindDuplicate
	// KindCredentials: the provider refused the account's credentials and did nothing.
	KindCredentials
	// KindDeclined: the provider declined the call itself, and nothing happened.
	KindDeclined
	// KindRejected: a callback cannot be read by the provider's own rules.
	KindRejected
	// KindInvalid: the request cannot be made of what was given; nothing was sent.
	KindInvalid
	// KindUnsupported: the provider has no such thing.
	KindUnsupported
	// KindInvalidSignature: a callback can be read, but its signature does not hold.
	KindInvalidSignature
)

// The Codes of errors about which payment has more to say.
const (
	// CodeNotVisible: a KindUnknown error; the provider answered, and showed nothing that proves anything about the order.
	CodeNotVisible = "refund_not_visible"
	// CodeNotSigned: a KindNotSent error; the answer to a call before the proper one, such as a log-in, was not signed with
	// the account's key.
	CodeNotSigned = "answer_not_signed"
	// CodeUnanswered: a KindDeclined error; the first of two steps, which moves nothing, had no answer that can be believed,
	// and the second was not taken.
	CodeUnanswered = "initiate_unanswered"
	// CodeKeyLost: a KindDeclined error; a code cannot be given to the provider any more.
	CodeKeyLost = "key_lost"
	// CodeNotTried: a KindDeclined error; the provider took no notice of a code, right or wrong.
	CodeNotTried = "code_not_tried"
)

// CodeClock is the Code of a KindDeclined error that says that the provider's clock and ours differ too much.
const CodeClock = "clock_skew"

var kindNames = [...]string{"unknown", "not_sent", "not_found", "duplicate", "credentials", "declined", "rejected", "invalid", "unsupported", "invalid_signature"}

// String returns the kind as it stands in metrics and evidence.
func (k ErrorKind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[0]
	}
	return kindNames[k]
}

// Error is the only kind of error that a gateway returns. Its text holds no card data, secret or body.
type Error struct {
	Kind ErrorKind
	// Op is what was being done, such as "initPayment".
	Op string
	// Code is the provider's own word, or a short one of the adapter's.
	Code string
	// Fields lists what is wrong with the request, for KindInvalid.
	Fields []FieldError
	// RetryAfter is when such a call will be sent, for a KindNotSent that was held back, else 0.
	RetryAfter time.Duration
	// ProviderData is what the provider said, masked, if anything.
	ProviderData ProviderData
	Err          error
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Op + ": " + e.Kind.String()
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err; anything that is not an *Error is KindUnknown.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindUnknown
}

// Refuse makes the error of a request that cannot be sent: KindUnsupported if leaving something out is the only help, else
// KindInvalid.
func Refuse(op string, fields []FieldError) *Error {
	e := &Error{Kind: KindInvalid, Op: op, Fields: fields}
	if i := slices.IndexFunc(fields, func(f FieldError) bool { return f.Unsupported }); i >= 0 {
		e.Kind, e.Err = KindUnsupported, errors.New(fields[i].Message)
	}
	return e
}

// Errorf makes an *Error with a formatted cause.
func Errorf(kind ErrorKind, op, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Err: fmt.Errorf(format, args...)}
}
