package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestNoLogLineHasACardNumber(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := newLogger(&out, "debug")
	before := maskedLines.Load()
	log.Error().Err(errors.New("declined 4012000000003010")).Str("pan", "4012 0000 0000 3010").Str("hidden", "NDAxMjAwMDAwMDAwMzAxMA==").Msg("4012-0000-0000-3010")
	log.Error().Int64("number", 4012000000003010).Msg("as a number")
	log.Error().Bytes("stack", []byte("panic 4012000000003010\n")).Msg("panic")
	for _, trace := range []string{"3010", "NDAx"} {
		require.NotContains(t, strings.ReplaceAll(out.String(), "401200******3010", ""), trace)
	}
	require.GreaterOrEqual(t, maskedLines.Load()-before, int64(3))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 3)
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)), line)
	}
	require.Contains(t, out.String(), "401200******3010")
	require.Contains(t, lines[1], "left out")
}

func TestOrdinaryLogLinesAreWrittenAsTheyAre(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := newLogger(&out, "info")
	for i := range 2000 {
		id := uuid.NewString()
		log.Info().Str("request_id", id).Str("order_id", uuid.NewString()).Int("bytes", i*977).Dur("duration_ms", time.Duration(i)*977131*time.Nanosecond).Msg("request")
		require.Contains(t, out.String(), fmt.Sprintf(`"request_id":%q`, id))
		require.NotContains(t, out.String(), "***")
		out.Reset()
	}
}

func BenchmarkLogLine(b *testing.B) {
	line := []byte(`{"level":"info","request_id":"01a1fd0c-a0bc-7425-9c39-80becf791395","method":"POST","route":"/v1/payments","status":201,"shop":"mine","order_id":"01a1fd0c-a0bc-7425-9c39-80becf791395","provider":"smartcore","verdict":"requires_action","bytes":1337,"duration_ms":12.345678,"time":"2026-11-29T09:34:05Z","message":"request"}` + "\n")
	var out strings.Builder
	for b.Loop() {
		out.Reset()
		_, _ = cardlessWriter{&out}.Write(line)
	}
}
