package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// The upstream's only key, and how much its answers hold.
const (
	providerKey = "sk-bench-0123456789abcdefghijklmnop"
	answerText  = 700 // bytes of text in a JSON answer, which has a kilobyte with it
	chunkText   = 12  // bytes of text in a chunk
	chunks      = 50  // of a stream
)

// mock is an upstream that speaks as much of OpenAI's chat completions as the measurements need. Its answers are ready bytes: what
// it costs is the same for all who stand before it.
type mock struct {
	addr  string
	whole []byte
	head  []byte
	first []byte // the first chunk of a stream
	more  []byte // the chunk after it, and all others
	last  []byte
	pace  atomic.Pointer[pace]

	badKeys atomic.Int64
}

// pace is how a stream comes: so many chunks, with a pause between two.
type pace struct {
	chunks int
	pause  time.Duration
	end    <-chan struct{} // closed: no more chunks, however many are left
}

func startMock() (*mock, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	const usage = `"usage":{"prompt_tokens":250,"completion_tokens":175,"total_tokens":425}`
	const event = `{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","choices":`
	body := `{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini","choices":[{"index":0,"message":` +
		`{"role":"assistant","content":"` + words(answerText) + `"},"finish_reason":"stop"}],` + usage + `}`
	m := &mock{addr: l.Addr().String(),
		whole: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body),
		head:  []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
		first: chunk("data: " + event + `[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n"),
		more:  chunk("data: " + event + `[{"index":0,"delta":{"content":"` + words(chunkText) + `"},"finish_reason":null}]}` + "\n\n"),
		last: append(chunk("data: "+event+`[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n"),
			append(chunk("data: "+event+`[],`+usage+"}\n\n"+"data: [DONE]\n\n"), "0\r\n\r\n"...)...),
	}
	m.pace.Store(&pace{chunks: chunks})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(c)
		}
	}()
	return m, nil
}

func chunk(s string) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(s), s) }

// words is so many bytes of text.
func words(n int) string { return strings.Repeat("the quick brown fox jumps over it ", n/34+1)[:n] }

// serve answers what comes on one connection until it ends.
func (m *mock) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 4<<10)
	var body bytes.Buffer
	for {
		h, err := readHead(r)
		if err != nil {
			return
		}
		body.Reset()
		if err := readBody(r, h, &body); err != nil {
			return
		}
		if h.bearer != providerKey {
			m.badKeys.Add(1)
			return
		}
		if bytes.Contains(body.Bytes(), []byte(`"stream":true`)) {
			err = m.stream(c)
		} else {
			_, err = c.Write(m.whole)
		}
		if err != nil {
			return
		}
	}
}

func (m *mock) stream(w io.Writer) error {
	p := m.pace.Load()
	if _, err := w.Write(m.head); err != nil {
		return err
	}
	for i := range p.chunks {
		piece := m.more
		if i == 0 {
			piece = m.first
		} else if p.pause > 0 {
			select {
			case <-time.After(p.pause):
			case <-p.end:
				_, err := w.Write(m.last)
				return err
			}
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	_, err := w.Write(m.last)
	return err
}
