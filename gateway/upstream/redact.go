package upstream

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// mark stands where a credential was; it has the credential's length, so that no length in the answer becomes wrong.
const mark = '*'

// redactor removes a credential from a body, also where it is split over reads. It holds back only bytes that could be the
// beginning of the credential, so an ordinary chunk goes on at once.
type redactor struct {
	src  io.ReadCloser
	key  []byte
	held []byte // a proper prefix of key, at the end of what was read
	out  []byte // cleaned, not yet returned
	err  error
}

func newRedactor(src io.ReadCloser, key string) io.ReadCloser {
	if len(key) < 8 {
		return src // nothing that could be told from chance
	}
	return &redactor{src: src, key: []byte(key)}
}

func (r *redactor) Read(p []byte) (int, error) {
	for len(r.out) == 0 && r.err == nil {
		n, err := r.src.Read(p)
		r.err = err
		if n > 0 && len(r.held) == 0 && !bytes.Contains(p[:n], r.key) && (err != nil || overlap(p[:n], r.key) == 0) {
			return n, err // the usual case: nothing of it in there, and not its beginning at the end
		}
		r.clean(p[:n])
	}
	if len(r.out) > 0 {
		n := copy(p, r.out)
		r.out = r.out[n:]
		return n, nil
	}
	return 0, r.err
}

// clean moves bytes from held and p to out, without the credential, and keeps what may be its beginning.
func (r *redactor) clean(p []byte) {
	buf := append(r.held, p...)
	if bytes.Contains(buf, r.key) {
		buf = bytes.ReplaceAll(buf, r.key, bytes.Repeat([]byte{mark}, len(r.key)))
	}
	keep := 0
	if r.err == nil {
		keep = overlap(buf, r.key)
	}
	r.out = buf[:len(buf)-keep]
	r.held = bytes.Clone(buf[len(buf)-keep:])
}

// overlap is the length of the longest end of b that is a proper beginning of key.
func overlap(b, key []byte) int {
	for n := min(len(b), len(key)-1); n > 0; n-- {
		if bytes.HasSuffix(b, key[:n]) {
			return n
		}
	}
	return 0
}

func (r *redactor) Close() error { return r.src.Close() }

// scrubHeader drops the values of headers in which a provider shows the credential back.
func scrubHeader(h http.Header, key string) http.Header {
	if key == "" {
		return h
	}
	for name, vs := range h {
		for _, v := range vs {
			if strings.Contains(v, key) {
				h.Del(name)
				break
			}
		}
	}
	return h
}
