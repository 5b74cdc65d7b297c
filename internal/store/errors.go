package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"payrelay/internal/payment"
)

// SQLSTATEs that are acted on, by their names in the Postgres manual, appendix A.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	readOnlyTransaction  = "25006"
	lockNotAvailable     = "55P03"
	idleTooLong          = "25P03"
	uniqueViolation      = "23505"
	checkViolation       = "23514"
	ruleViolation        = "23000" // integrity_constraint_violation: a rule of ours that a trigger holds
	badCharacter         = "22021" // character_not_in_repertoire: a NUL in a text
	internalError        = "XX000" // of a Citus coordinator: an error of a node
	badJSONCharacter     = "22P05" // untranslatable_character: a NUL in a JSON text
)

// classes of SQLSTATE that say that the database cannot work now: connection exception, insufficient resources (disk
// full and too many connections among them), operator intervention (shutting down, statement timeout), system error.
var unavailableClasses = map[string]bool{"08": true, "53": true, "57": true, "58": true}

// inTheWay reports whether another transaction was in this one's way, so that the same may work at once. Two equal callbacks
// are in each other's way if the order came into being between them: only one of them could lock it. A partition that was missing
// is there the next time.
func inTheWay(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == serializationFailure || pg.Code == deadlockDetected || violates(err, "callback_keys_pkey") || noPartition(pg))
}

// violates reports whether err is the violation of a constraint. Citus names it in the message only, with the
// number of a shard, and may not keep the node's code.
func violates(err error, constraint string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || pg.Code != uniqueViolation && pg.Code != checkViolation && pg.Code != ruleViolation && pg.Code != internalError {
		return false
	}
	if pg.ConstraintName != "" {
		return partitionSuffix.ReplaceAllString(pg.ConstraintName, "_") == constraint
	}
	_, named, _ := strings.Cut(pg.Message, ` constraint "`)
	named, _, _ = strings.Cut(named, `"`)
	shard, ok := strings.CutPrefix(partitionSuffix.ReplaceAllString(named, "_"), constraint)
	return ok && (shard == "" || strings.HasPrefix(shard, "_") && strings.Trim(shard[1:], "0123456789") == "")
}

// partitionSuffix is what a partition's key has in its name beside the table's.
var partitionSuffix = regexp.MustCompile("_[0-9]{4,}_[0-9]{2}_")

// translate gives an error the meaning that callers act on.
func translate(doing string, err error) error {
	switch _, known := errors.AsType[*payment.Error](err); {
	case err == nil || known:
		return err
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", doing, err)
	case violates(err, "order_transitions_pkey"): // the history has this step: the order's row is an older one that was put back
		return fmt.Errorf("%s: %w: %w", doing, payment.ErrFrozen, err)
	case cannotWork(err):
		return unavailable(fmt.Errorf("%s: %w", doing, err))
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (pg.Code == badCharacter || pg.Code == badJSONCharacter) {
		return &payment.Error{Code: payment.CodeInvalid, Message: "A text holds a character that cannot be stored: NUL, or broken UTF-8. Leave it out.", Err: fmt.Errorf("%s: %w", doing, err)}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// cannotWork reports whether the database could not be reached or cannot work now, as opposed to having refused.
func cannotWork(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return unavailableClasses[pg.Code[:min(2, len(pg.Code))]] || lostInCommit(pg) || pg.Code == readOnlyTransaction || pg.Code == lockNotAvailable || pg.Code == idleTooLong || inTheWay(err)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err)
}

func unavailable(err error) error {
	return &payment.Error{Code: payment.CodeUnavailable, Message: "The service cannot reach its database now. Send the same request again in a moment; it cannot be done twice.", Err: err}
}

// lostInCommit reports whether a Citus coordinator lost a node while it committed there: nobody knows whether that was done.
func lostInCommit(pg *pgconn.PgError) bool {
	return pg.Code == internalError && strings.HasPrefix(pg.Message, "could not commit transaction")
}
