package token

import (
	"net/url"
	"strings"
)

// base is the public URL that addresses in proofs are compared with. What the request says of its host is never looked at.
type base struct {
	text string // without a slash at its end
}

func newBase(public string) (base, bool) {
	text, ok := normal(strings.TrimSuffix(public, "/"))
	return base{strings.TrimSuffix(text, "/")}, ok
}

// is says whether htu is the address of a path, query and fragment aside (RFC 9449 §4.3).
func (b base) is(htu, path string) bool {
	if htu == b.text+path {
		return true
	}
	got, ok := normal(htu)
	want, fine := normal(b.text + path)
	return ok && fine && got == want
}

var defaultPorts = map[string]string{"http": ":80", "https": ":443"}

// normal is an http address without query and fragment in the spelling that equal addresses share (RFC 3986 §6.2.2 and §6.2.3).
func normal(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || defaultPorts[strings.ToLower(u.Scheme)] == "" {
		return "", false
	}
	u = u.ResolveReference(&url.URL{Path: u.Path, RawPath: u.RawPath}) // removes dot segments, query and fragment
	scheme := strings.ToLower(u.Scheme)
	host := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(u.Host), defaultPorts[scheme]), ":")
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + spelled(path), true
}

// spelled writes escapes with capital letters, and those of unreserved characters as the characters.
func spelled(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			out.WriteByte(path[i])
			continue
		}
		escape := path[i : i+3]
		if c, err := url.PathUnescape(escape); err == nil && len(c) == 1 && unreserved(c[0]) {
			out.WriteString(c)
		} else {
			out.WriteString(strings.ToUpper(escape))
		}
		i += 2
	}
	return out.String()
}

// unreserved are the characters of RFC 3986 §2.3.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
