package app

import (
	"encoding/json"
	"io"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/card/detect"
)

// logTimes are RFC 3339 with milliseconds.
const logTimes = "2006-01-02T15:04:05.000Z07:00"

// newLogger returns the service's log. No line of it has a card number.
func newLogger(w io.Writer, level string) zerolog.Logger {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		l = zerolog.InfoLevel
	}
	zerolog.DurationFieldUnit, zerolog.TimeFieldFormat = time.Millisecond, logTimes
	return zerolog.New(cardlessWriter{w}).Level(l).With().Timestamp().Logger()
}

// cardlessWriter masks card numbers in the lines of a log. It is the last net: what gets here should hold none.
type cardlessWriter struct{ to io.Writer }

// maskedLines counts the lines that held what may be a card number.
var maskedLines atomic.Int64

// leftOut stands for a line that is no JSON any more once it is masked.
const leftOut = `{"level":"error","message":"a line was left out: it held what may be a card number"}` + "\n"

// Write implements io.Writer.
func (c cardlessWriter) Write(line []byte) (int, error) {
	text := string(line)
	if masked := detect.Mask(text); masked != text {
		maskedLines.Add(1)
		if text = masked; !json.Valid([]byte(text)) {
			text = leftOut
		}
	}
	if _, err := io.WriteString(c.to, text); err != nil {
		return 0, err
	}
	return len(line), nil
}

func maskedLinesCounter() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "payrelay_log_lines_masked_total", Help: "Log lines that held what may be a card number, and were masked.",
	}, func() float64 { return float64(maskedLines.Load()) })
}
