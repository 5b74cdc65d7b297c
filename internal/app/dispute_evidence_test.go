package app

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// Of a file that is handed in only its name, digest and size are kept: in the history, in 'dispute show' and in the audit log.
func TestEvidenceIsKeptAsADigest(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	id := b.disputed(t).String()
	file := filepath.Join(t.TempDir(), "proof.txt")
	require.NoError(t, os.WriteFile(file, []byte("the parcel was signed for\n"), 0o600))
	said := b.command(t, "dispute", "set", id, "--note", "by the courier", "--evidence", file, "--due", "2030-01-01T00:00:00Z", "--reason", "ticket 3")
	require.Contains(t, said, "send it in the provider's cabinet until 2030-01-01T00:00:00Z")
	kept, err := digestOf(file)
	require.NoError(t, err)
	require.Equal(t, payment.Evidence{Name: "proof.txt", SHA256: kept.SHA256, Bytes: 26}, *kept)
	shown := b.command(t, "dispute", "show", id)
	require.Contains(t, shown, "note      by the courier")
	require.Contains(t, shown, "evidence  proof.txt, 26 bytes, SHA-256 "+kept.SHA256)
	require.Contains(t, b.command(t, "dispute", "show", id, "--json"), `"evidence":{"name":"proof.txt","sha256":"`+kept.SHA256+`","bytes":26}`)
	entries := b.audit(t)
	entry := entries[len(entries)-1]
	require.Equal(t, "dispute set", entry.Action)
	require.Contains(t, string(entry.After), kept.SHA256)
	require.Contains(t, string(entry.After), "by the courier")
	for table, text := range b.contents(t) {
		require.NotContains(t, text, "signed for", table)
	}
}

// What cannot be kept is refused, and nothing is changed.
func TestWhatEvidenceIsRefused(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	id := b.disputed(t).String()
	empty := filepath.Join(t.TempDir(), "empty.txt")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for want, args := range map[string][]string{
		"is empty":                 {"--evidence", empty},
		"no such file":             {"--evidence", empty + ".gone"},
		"may be a card number":     {"--note", "card 4012 0000 0000 3010"},
		"at most 2000 are kept":    {"--note", string(bytes.Repeat([]byte("a"), 2001))},
		"nothing to change: give ": {},
	} {
		var out, errs bytes.Buffer
		code := Execute(t.Context(), append([]string{"dispute", "set", id, "--reason", "ticket 3"}, args...), &Streams{Out: &out, Err: &errs, Environ: b.environ})
		require.NotZero(t, code, want)
		require.Contains(t, errs.String(), want)
	}
	require.NotContains(t, b.command(t, "dispute", "show", id), "evidence")
}

func TestADisputeIsAboutASumAboveZero(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	for _, amount := range []string{"0", "-5"} {
		require.Contains(t, b.fails(t, "dispute", "open", b.contested.Order.String(), "--kind", "chargeback", "--amount="+amount, "--reason", "letter"), "above zero")
	}
}

// A bank's question moves no money: the sums of the payment stay, and refunds go on.
func TestAnInquiryMovesNoMoney(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.command(t, "dispute", "open", b.contested.Order.String(), "--kind", "inquiry", "--case", "IQ-1", "--due", "2030-01-01T00:00:00Z", "--reason", "letter")
	o, err := b.store.Order(t.Context(), b.contested)
	require.NoError(t, err)
	require.Equal(t, []any{int64(0), int64(0), 0}, []any{o.Disputed, o.Overdrawn, o.DisputesOpen})
	page, err := b.store.Disputes(t.Context(), payment.DisputeFilter{Kind: payment.DisputeInquiry})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	id := page.Items[0].ID.String()
	var out, errs bytes.Buffer
	require.NotZero(t, Execute(t.Context(), []string{"dispute", "set", id, "--kind", "chargeback", "--reason", "letter"}, &Streams{Out: &out, Err: &errs, Environ: b.environ}))
	require.Contains(t, errs.String(), "Resolve this dispute, and open another.")
	require.Contains(t, b.command(t, "dispute", "resolve", id, "--outcome", "won", "--reason", "letter"), "won")
	o, err = b.store.Order(t.Context(), b.contested)
	require.NoError(t, err)
	require.Zero(t, o.Disputed)
}
