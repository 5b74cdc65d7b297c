package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"unicode"

	"payrelay/internal/card/detect"
	"payrelay/internal/store"
)

// operatorReason is why an operator changes something. One that is given says something.
type operatorReason string

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *operatorReason) UnmarshalText(b []byte) error {
	if strings.TrimSpace(string(b)) == "" {
		return errors.New("it is empty: say why, for whoever reads the audit log")
	}
	*r = operatorReason(b)
	return nil
}

// reasonFlag is the flag of commands that change something and may say why.
type reasonFlag struct {
	Reason operatorReason `name:"reason" placeholder:"TEXT" help:"Why. It is kept in the audit log."`
}

// operate opens the database for a command that changes something. Each change is written into the audit log with its author.
func operate(ctx context.Context, io *Streams, reason operatorReason) (*database, error) {
	for _, t := range []operatorText{{"--reason", string(reason)}, {"--as", io.claimed}} {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	db, err := openDatabase(ctx, io)
	if err != nil {
		return nil, err
	}
	db.store.Operator = &store.Operator{User: operatorName(), Host: hostName(), Claimed: io.claimed, Reason: string(reason)}
	return db, nil
}

// operatorText is a text that an operator types and that is kept.
type operatorText struct{ flag, text string }

// check refuses what may be a card number, and characters that would forge lines where the text is listed.
func (t operatorText) check() error {
	return cmp.Or(t.checkControls(), t.checkCards())
}

// checkControls refuses what a terminal would not print as it is.
func (t operatorText) checkControls() error {
	if strings.ContainsFunc(t.text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) }) {
		return fmt.Errorf("%s has control characters, such as a line break: leave them out. Nothing was changed", t.flag)
	}
	return nil
}

// checkCards refuses what may be a card number. A person, unlike a shop's program, can say it in other words.
func (t operatorText) checkCards() error {
	if detect.Judge(t.text) != detect.Clean {
		return fmt.Errorf("%s has digits that may be a card number, which must not be kept: name the order by its id, and a card by its last four digits. Nothing was changed", t.flag)
	}
	return nil
}

// operatorName is who runs the command, as far as the machine knows.
func operatorName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
