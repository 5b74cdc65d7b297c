package card

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const number = "4012000000003010"

func TestNothingPrintsTheValue(t *testing.T) {
	t.Parallel()
	pan, err := ParsePAN(number)
	require.NoError(t, err)
	cvc, err := ParseCVC("739")
	require.NoError(t, err)
	c := Card{Number: pan, CVC: cvc, Expiry: Expiry{12, 2030}, Holder: "X"}
	token := NewToken("wallet-payload-123")

	var out strings.Builder
	for _, v := range []any{pan, cvc, token, c, &pan, &cvc, &token, &c, []any{c}, map[string]any{"c": c}, errors.Join(fmt.Errorf("%v %s", c, pan))} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		out.Write(b)
	}
	var log bytes.Buffer
	logger := zerolog.New(&log)
	logger.Info().Interface("c", c).Object("pan", pan).Stringer("cvc", cvc).Any("t", token).Msg("")
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "pan", pan, "card", c, "cvc", &cvc)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "pan", pan, "card", c, "token", token)
	var g bytes.Buffer
	require.NoError(t, gob.NewEncoder(&g).Encode(pan))
	v, err := pan.Value()
	require.NoError(t, err)
	fmt.Fprint(&out, log.String(), g.String(), v)

	require.NotContains(t, out.String(), number)
	require.NotContains(t, out.String(), "0000003010", "middle digits")
	require.NotContains(t, out.String(), fmt.Sprintf("%x", number))
	// Addresses and times are other numbers every time, and may hold these three digits.
	require.NotContains(t, regexp.MustCompile(`0x[0-9a-f]+|[0-9]{5,}`).ReplaceAllString(out.String(), ""), "739")
	require.NotContains(t, out.String(), "wallet-payload")
	require.Contains(t, out.String(), "401200******3010")
	require.Equal(t, number, pan.Reveal())
}

func TestParsePAN(t *testing.T) {
	t.Parallel()
	for _, good := range []string{number, "4012 0000 0000 3010", "4003830171874018", "378282246310005", "6304000000000000"} {
		_, err := ParsePAN(good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{"", "4012000000003011", "4012", "40120000000030101234567", "4012x00000003010", "４０１２０００００００３０１０"} {
		_, err := ParsePAN(bad)
		require.ErrorIs(t, err, ErrNumber, bad)
	}
	p, _ := ParsePAN(number)
	require.Equal(t, "401200", p.BIN())
	require.Equal(t, "3010", p.Last4())
	require.Equal(t, "VISA", p.Brand())
}

func TestLuhnCatchesEveryChangedDigit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(number)-1).Draw(t, "at")
		to := byte('0' + rapid.IntRange(0, 9).Draw(t, "to"))
		changed := []byte(number)
		changed[at] = to
		if Luhn(string(changed)) != (to == number[at]) {
			t.Fatal("a single changed digit must not pass")
		}
	})
}

func TestParseCVC(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "12", "12345", "12a"} {
		_, err := ParseCVC(bad)
		require.ErrorIs(t, err, ErrCVC)
	}
}
