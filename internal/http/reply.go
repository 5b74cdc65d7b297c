package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"payrelay/internal/idempotency"
	"payrelay/internal/payment"
)

// reply is the answer of an operation: a status with a JSON document, or a file.
type reply struct {
	status   int
	body     any
	location string
	// secret says that the answer is not kept for its Idempotency-Key: a repeat is a new request.
	secret bool
	// file, if set, writes the answer in place of body.
	file func(w io.Writer) error
}

// orderReply answers with what a use case returned: 201 for a new order, 202 while its outcome is unknown, 200 otherwise.
func orderReply(ctx context.Context, o *payment.Order, isNew bool, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	Note(ctx, o)
	return renderOrder(o, isNew), nil
}

func renderOrder(o *payment.Order, isNew bool) reply {
	body := RenderOrder(o)
	if o.Details != nil {
		_ = json.Unmarshal(o.Details, &body.Details) // our own JSON
	}
	r := reply{status: http.StatusOK, body: body}
	if isNew {
		r.status, r.location = http.StatusCreated, "/v1/orders/"+o.ID.String()
		if o.Status == payment.StatusUnknown {
			r.status = http.StatusAccepted
		}
	}
	return r
}

// document is the body as it is sent.
func (r reply) document() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(r.body); err != nil {
		return nil, fmt.Errorf("write the answer: %w", err)
	}
	return out.Bytes(), nil
}

// head sets the headers of a document.
func (r reply) head(h http.Header) {
	h.Set("Content-Type", "application/json")
	if r.location != "" {
		h.Set("Location", r.location)
	}
}

// kept is the answer as it is kept for its Idempotency-Key.
func (r reply) kept() (idempotency.Response, error) {
	body, err := r.document()
	h := http.Header{}
	r.head(h)
	return idempotency.Response{Status: r.status, Header: replayedOf(h), Body: body}, err
}

// write sends the answer. An error means that nothing was sent yet.
func (r reply) write(w http.ResponseWriter) error {
	if r.file != nil {
		return writeFile(w, r.file)
	}
	if held, ok := w.(*buffered); ok {
		held.secret = r.secret
	}
	body, err := r.document() // an answer that cannot be written is a problem, and not half an answer
	if err != nil {
		return err
	}
	r.head(w.Header())
	w.WriteHeader(r.status)
	_, _ = w.Write(body) // a caller who left needs no other answer
	return nil
}

// writeFile streams a file. An error before its first byte is still a problem document.
func writeFile(w http.ResponseWriter, write func(io.Writer) error) error {
	out := &lateHeader{w: w}
	if err := write(out); err != nil {
		if out.started {
			panic(http.ErrAbortHandler) // half a file must not look whole
		}
		return err
	}
	if !out.started {
		_, _ = out.Write(nil)
	}
	return nil
}

// lateHeader sends the headers of a file with its first byte.
type lateHeader struct {
	w       http.ResponseWriter
	started bool
}

func (l *lateHeader) Write(p []byte) (int, error) {
	if !l.started {
		l.started = true
		l.w.Header().Set("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
		l.w.Header().Set("Content-Disposition", `attachment; filename="statement.xlsx"`)
		l.w.WriteHeader(http.StatusOK)
	}
	return l.w.Write(p)
}
