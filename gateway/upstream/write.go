package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// joined is the longest body, in bytes, that is copied behind its header to be written with it in one piece.
const joined = 8 << 10

// heads are needed only while a request is written. They are wiped before they are used again: a credential was in them.
var heads = sync.Pool{New: func() any { b := make([]byte, 0, joined+2<<10); return &b }}

func wipe(buf *[]byte, used []byte) {
	for i := range used {
		used[i] = 0
	}
	if *buf = used[:0]; cap(used) <= 2*joined {
		heads.Put(buf)
	}
}

// errUnwritten says that not a byte was written.
var errUnwritten = errors.New("the request cannot be written")

// write writes a request with its whole body (RFC 9112 §3, §6.2). Its method, path and names of headers are ours, a value may be a caller's:
// one that cannot stand in a header is errUnwritten.
func write(w io.Writer, req *http.Request, body []byte) error {
	host, err := httpguts.PunycodeHostPort(req.Host)
	if err != nil {
		return errors.Join(errUnwritten, err)
	}
	buf := heads.Get().(*[]byte)
	b := (*buf)[:0]
	defer func() { wipe(buf, b) }()
	b = append(append(append(b, req.Method...), ' '), req.URL.RequestURI()...)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), host...), "\r\n"...)
	for name, values := range req.Header {
		for _, v := range values {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
				return errUnwritten
			}
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	if body != nil {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	if len(body) > joined {
		pieces := net.Buffers{b, body}
		_, err = pieces.WriteTo(w)
		return err
	}
	b = append(b, body...)
	_, err = w.Write(b)
	return err
}
