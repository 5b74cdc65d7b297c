package benchmark

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
)

// largestMessage bounds a body, in bytes.
const largestMessage = 1 << 20

// connection is an HTTP/1.1 connection that is kept open. net/http costs several times as much, and the load shares the
// processors with what is measured.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
	out  bytes.Buffer
	body bytes.Buffer
}

func dial(ctx context.Context, address string) (*connection, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return &connection{conn: conn, in: bufio.NewReader(conn)}, nil
}

// post sends a request and returns the status and the body of the answer, which is good until the next call.
func (c *connection) post(head, body []byte) (status int, answer []byte, err error) {
	c.out.Reset()
	c.out.Write(head)
	c.out.WriteString("Content-Length: ")
	c.out.WriteString(strconv.Itoa(len(body)))
	c.out.WriteString("\r\n\r\n")
	c.out.Write(body)
	if _, err := c.conn.Write(c.out.Bytes()); err != nil {
		return 0, nil, fmt.Errorf("send: %w", err)
	}
	first, err := c.readHeadAndBody()
	if err != nil {
		return 0, nil, err
	}
	if len(first) < len("HTTP/1.1 200") {
		return 0, nil, errors.New("the answer is not HTTP")
	}
	status, err = strconv.Atoi(string(first[len("HTTP/1.1 "):len("HTTP/1.1 200")]))
	return status, c.body.Bytes(), err
}

// readHeadAndBody reads a request or an answer into body and returns its first line.
func (c *connection) readHeadAndBody() (first []byte, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	first = bytes.Clone(line)
	length, chunked := 0, false
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > largestMessage {
				return nil, errors.New("the length of the body is wrong")
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	c.body.Reset()
	if chunked {
		if _, err := c.body.ReadFrom(io.LimitReader(httputil.NewChunkedReader(c.in), largestMessage)); err != nil {
			return nil, err
		}
		_, err := c.in.ReadSlice('\n') // the empty trailer
		return first, err
	}
	_, err = c.body.ReadFrom(io.LimitReader(c.in, int64(length)))
	return first, err
}

// answerAll listens on a free port, prints the address, and answers every request with 200 until the process ends.
func answerAll(out io.Writer, answer func(path, body []byte) []byte) error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Fprintln(out, l.Addr())
	for {
		conn, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go answerOne(&connection{conn: conn, in: bufio.NewReader(conn)}, answer)
	}
}

// answerOne serves a connection until its other end closes it.
func answerOne(c *connection, answer func(path, body []byte) []byte) {
	defer func() { _ = c.conn.Close() }()
	for {
		first, err := c.readHeadAndBody()
		if err != nil {
			return
		}
		parts := bytes.Fields(first)
		if len(parts) < 2 {
			return
		}
		body := answer(parts[1], c.body.Bytes())
		c.out.Reset()
		fmt.Fprintf(&c.out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
		c.out.Write(body)
		if _, err := c.conn.Write(c.out.Bytes()); err != nil {
			return
		}
	}
}

// value returns the text of the first field of that name in a JSON document, "" without one. The names asked for are never
// a part of a text in what the benchmark reads.
func value(document []byte, name string) string {
	_, rest, ok := bytes.Cut(document, []byte(`"`+name+`":"`))
	if !ok {
		return ""
	}
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(text)
}
