package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// msgHead is what mock and load read of a message's head (RFC 9112).
type msgHead struct {
	start   string // request or status line
	length  int64  // of the body; -1: not said
	chunked bool
	bearer  string
}

// readHead reads a head whose lines fit in r's buffer.
func readHead(r *bufio.Reader) (h msgHead, err error) {
	h.length = -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if h.start == "" {
			h.start = string(line)
			continue
		}
		if len(line) == 0 {
			return h, nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return h, fmt.Errorf("%q is no header line", line)
		}
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "content-length"):
			if h.length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return h, err
			}
		case is(name, "transfer-encoding"):
			h.chunked = is(value, "chunked")
		case is(name, "authorization"):
			h.bearer = strings.TrimPrefix(string(value), "Bearer ")
		}
	}
}

func is(b []byte, lower string) bool {
	return len(b) == len(lower) && strings.EqualFold(string(b), lower)
}

// readBody copies a body to w.
func readBody(r *bufio.Reader, h msgHead, w io.Writer) error {
	if !h.chunked {
		_, err := io.CopyN(w, r, max(0, h.length))
		return err
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 64)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(w, r, n); err != nil {
			return err
		}
		if _, err := r.Discard(2); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// client is one connection that asks again and again. It dials anew after a failure.
type client struct {
	addr   string
	stream bool
	conn   net.Conn
	r      *bufio.Reader
	out    []byte
	in     answer
}

// answer is what is seen of a body as it passes.
type answer struct {
	first  time.Time // when its first byte came
	tail   []byte    // its last bytes
	onRead func()
}

func (a *answer) Write(p []byte) (int, error) {
	if a.first.IsZero() {
		a.first = time.Now()
	}
	if a.onRead != nil {
		a.onRead()
	}
	const keep = 64
	if a.tail = append(a.tail, p[max(0, len(p)-keep):]...); len(a.tail) > keep {
		a.tail = append(a.tail[:0], a.tail[len(a.tail)-keep:]...)
	}
	return len(p), nil
}

var (
	errCut    = errors.New("a stream ended without its end mark")
	doneMark  = []byte("[DONE]")
	callBody  = body(false)
	streaming = body(true)
)

// body is a request of one kilobyte.
func body(stream bool) []byte {
	const size = 1 << 10
	head, tail := `{"model":"gpt-4o-mini","max_tokens":256,"messages":[{"role":"user","content":"`, `"}]}`
	if stream {
		tail = `"}],"stream":true,"stream_options":{"include_usage":true}}`
	}
	return []byte(head + words(size-len(head)-len(tail)) + tail)
}

// do makes one call with a token and reads its whole answer.
func (c *client) do(token string, patience time.Duration) (err error) {
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.conn == nil {
		if c.conn, err = (&net.Dialer{Timeout: patience}).Dial("tcp", c.addr); err != nil {
			return err
		}
		if c.r == nil {
			c.r = bufio.NewReaderSize(nil, 4<<10)
		}
		c.r.Reset(c.conn)
	}
	c.conn.SetDeadline(time.Now().Add(patience))
	b := callBody
	if c.stream {
		b = streaming
	}
	c.out = fmt.Appendf(c.out[:0], "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nAuthorization: Bearer %s\r\n\r\n", c.addr, len(b), token)
	c.out = append(c.out, b...)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	c.in.first, c.in.tail = time.Time{}, c.in.tail[:0]
	h, err := readHead(c.r)
	if err != nil {
		return err
	}
	if err := readBody(c.r, h, &c.in); err != nil {
		return err
	}
	if !strings.HasPrefix(h.start, "HTTP/1.1 200 ") {
		return fmt.Errorf("%s ... %s", h.start, c.in.tail)
	}
	if c.stream && !bytes.Contains(c.in.tail, doneMark) {
		return errCut
	}
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
