package host_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/host"
)

// upstream answers with what it was sent.
func upstream(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	t.Cleanup(server.Close)
	return server
}

func listen(t *testing.T, cfg host.Config) *host.Host {
	t.Helper()
	cfg.Address, cfg.Record = "127.0.0.1:0", true
	h, err := host.Listen(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	return h
}

func sent(h *host.Host, text string) bool {
	return bytes.Contains(bytes.Join(h.Sent(), nil), []byte(text))
}

func post(client *http.Client, address, body string) (string, error) {
	res, err := client.Post(address, "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	return string(raw), err
}

func TestAHostComesAndGoes(t *testing.T) {
	t.Parallel()
	h := listen(t, host.Config{Upstream: strings.TrimPrefix(upstream(t).URL, "http://")})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	address := h.Address()
	for range 3 {
		answer, err := post(client, "http://"+address, "one")
		require.NoError(t, err)
		require.Equal(t, "one", answer)
		require.NoError(t, h.Set(t.Context(), host.Refused))
		_, err = post(client, "http://"+address, "two")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.Equal(t, address, h.Address())
		require.NoError(t, h.Set(t.Context(), host.Open))
	}
	require.True(t, sent(h, "one"))
	require.False(t, sent(h, "two"))
	require.Error(t, h.Set(t.Context(), "gone"))
	require.Error(t, h.Set(t.Context(), host.Untrusted), "it speaks no TLS")
	require.Equal(t, host.Open, h.State())
}

// Nobody answers at a host that has vanished: connections are refused by no one, and are never made.
func TestAHostVanishes(t *testing.T) {
	t.Parallel()
	if !slices.Contains(host.States, host.Vanished) {
		return // this system cannot
	}
	h := listen(t, host.Config{Upstream: strings.TrimPrefix(upstream(t).URL, "http://")})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	dial := func() error {
		conn, err := net.DialTimeout("tcp", h.Address(), 100*time.Millisecond)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	for _, next := range []host.State{host.Open, host.Refused, host.Hanging, host.Open} {
		require.NoError(t, h.Set(t.Context(), host.Vanished))
		for range 3 {
			var timeout net.Error
			require.ErrorAs(t, dial(), &timeout)
			require.True(t, timeout.Timeout())
		}
		require.NoError(t, h.Set(t.Context(), next))
		if next == host.Refused {
			require.ErrorIs(t, dial(), syscall.ECONNREFUSED)
		} else {
			require.NoError(t, dial())
		}
	}
	answer, err := post(client, "http://"+h.Address(), "one")
	require.NoError(t, err)
	require.Equal(t, "one", answer)
}

func TestAHangingHostTakesARequest(t *testing.T) {
	t.Parallel()
	h := listen(t, host.Config{Upstream: strings.TrimPrefix(upstream(t).URL, "http://")})
	require.NoError(t, h.Set(t.Context(), host.Hanging))
	conn, err := net.Dial("tcp", h.Address())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return sent(h, "POST /") }, time.Minute, 2*time.Millisecond)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = bufio.NewReader(conn).ReadByte()
	require.True(t, errors.Is(err, os.ErrDeadlineExceeded), err)
	require.NoError(t, h.Set(t.Context(), host.Open))
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = bufio.NewReader(conn).ReadByte()
	require.Error(t, err, "its connections end with the state")
	require.False(t, errors.Is(err, os.ErrDeadlineExceeded))
}

// A stranger's certificate ends a connection before the first byte of a request.
func TestAHostThatNobodyTrusts(t *testing.T) {
	t.Parallel()
	certificates, err := host.NewCertificates()
	require.NoError(t, err)
	h := listen(t, host.Config{
		Upstream: strings.TrimPrefix(upstream(t).URL, "http://"), Trusted: certificates.Trusted, Stranger: certificates.Stranger,
	})
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(certificates.Root))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	answer, err := post(client, "https://"+h.Address(), "one")
	require.NoError(t, err)
	require.Equal(t, "one", answer)
	require.NoError(t, h.Set(t.Context(), host.Untrusted))
	_, err = post(client, "https://"+h.Address(), "two")
	var untrusted *tls.CertificateVerificationError
	require.ErrorAs(t, err, &untrusted)
	require.NoError(t, h.Set(t.Context(), host.Open))
	_, err = post(client, "https://"+h.Address(), "three")
	require.NoError(t, err)
	require.True(t, sent(h, "three"))
	require.False(t, sent(h, "two"))
}

func TestAHostThatCannotListen(t *testing.T) {
	t.Parallel()
	taken := upstream(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := host.Listen(ctx, host.Config{Address: strings.TrimPrefix(taken.URL, "http://")})
	require.ErrorContains(t, err, "open a simulator's host")
}
