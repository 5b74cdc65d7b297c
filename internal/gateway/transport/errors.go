package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"

	"payrelay/internal/gateway"
)

var errRequest = errors.New("the request cannot be made")

// failure says in fixed words what went wrong: texts of net/http hold addresses, and texts of others anything.
func failure(ctx context.Context, kind gateway.ErrorKind, op string, err error) *gateway.Error {
	return &gateway.Error{Kind: kind, Op: op, Code: reason(ctx, err), Err: contextError(ctx)}
}

func contextError(ctx context.Context) error {
	// ctx.Err and not its cause, whose text is somebody else's.
	return ctx.Err()
}

func reason(ctx context.Context, err error) string {
	var (
		dns      *net.DNSError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		verify   *tls.CertificateVerificationError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		network  net.Error
	)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "canceled"
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &dns):
		return "dns"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.As(err, &record), errors.As(err, &alert), errors.As(err, &verify), errors.As(err, &unknown), errors.As(err, &hostname):
		return "tls"
	case errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "cut_off"
	}
	return "network"
}
