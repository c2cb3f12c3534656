package upstream

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// joined is the longest body, in bytes, that is copied behind its header to be written with it in one piece.
const joined = 8 << 10

// heads are needed only while a request is written. They are wiped before they are used again: a credential was in them. (One that was too
// short for a head is left to the collector, and not used again.)
var heads = sync.Pool{New: func() any { b := make([]byte, 0, joined+2<<10); return &b }}

func wipe(buf *[]byte, used []byte) {
	for i := range used {
		used[i] = 0
	}
	if *buf = used[:0]; cap(used) <= 2*joined {
		heads.Put(buf)
	}
}

// framing is the headers that say where a request goes and ends: write alone writes them.
var framing = map[string]bool{"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true, "Connection": true}

// zoneless is a host without the zone of a link-local address, which means nothing beyond this machine (RFC 6874 §4).
func zoneless(host string) string {
	if from := strings.IndexByte(host, '%'); strings.HasPrefix(host, "[") && from > 0 {
		if end := strings.LastIndexByte(host, ']'); end > from {
			return host[:from] + host[end:]
		}
	}
	return host
}

// errUnwritten says that not a byte was written.
var errUnwritten = errors.New("the request cannot be written")

// write writes a request with its whole body (RFC 9112 §3, §6.2). Its method, path and names of headers are ours, a value may be a caller's:
// one that cannot stand in a header is errUnwritten.
func write(w io.Writer, req *http.Request, body []byte) error {
	target := req.URL.RequestURI()
	host, err := httpguts.PunycodeHostPort(zoneless(req.Host))
	if err != nil || !httpguts.ValidHostHeader(host) || strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return errors.Join(errUnwritten, err)
	}
	buf := heads.Get().(*[]byte)
	b := (*buf)[:0]
	defer func() { wipe(buf, b) }()
	b = append(append(append(b, req.Method...), ' '), target...)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), host...), "\r\n"...)
	for name, values := range req.Header {
		for _, v := range values {
			if framing[name] || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(v) {
				return errUnwritten
			}
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	if body != nil || req.Method == http.MethodPost {
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
