package passport

import (
	"net/url"
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Bounds of what a client says of itself.
const (
	MaxClientID    = 512  // bytes
	MaxRedirects   = 10   // redirect URIs of one client
	MaxRedirectURI = 1024 // bytes of one
	MaxClientName  = 100  // characters
	MaxClientURI   = 512  // bytes
	MaxJWKS        = 8192 // bytes
)

// Site says where an authorization that is answered at a redirect URI goes, and whether that place has proved that it asks: the host in
// ASCII without its port; "localhost" for loopback, where any program of that machine may listen; a private-use scheme with its colon
// ("com.example.app:"), which any app of that machine may claim. Only an https origin can be checked: of a metadata document the one that
// it was read from, of an owner's client any that the owner wrote down. What the client has not registered is no site.
func (c Client) Site(redirectURI string) (site string, checked bool) {
	if !c.Redirects(redirectURI) {
		return "", false
	}
	u, err := url.Parse(redirectURI)
	if err != nil {
		return "", false
	}
	switch u.Scheme {
	case "https":
		proved := c.Kind == ClientOwned || c.Kind == ClientDocument && sameOrigin(string(c.ID), u)
		return strings.ToLower(u.Hostname()), proved
	case "http":
		return "localhost", false
	default:
		return u.Scheme + ":", false
	}
}

// Redirects says whether the client registered a redirect URI. The whole text counts (RFC 9700 §2.1), but for the port at a loopback IP,
// which a native app learns from its system (RFC 8252 §7.3).
func (c Client) Redirects(uri string) bool {
	if CheckRedirect(uri) != nil {
		return false
	}
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	host, rest, ok := loopbackIP(uri)
	return ok && slices.ContainsFunc(c.RedirectURIs, func(known string) bool {
		h, r, ok := loopbackIP(known)
		return ok && h == host && r == rest
	})
}

// CheckRedirect says whether a text may be registered as a redirect URI: https, http at a loopback IP or localhost (RFC 8252 §7.3), or a
// private-use scheme that is a domain name turned round, and so has a dot (§7.1). No fragment (RFC 6749 §3.1.2), user info, wildcard, or
// path that a browser would rewrite. Error: Invalid.
func CheckRedirect(uri string) error {
	bad := func(format string, args ...any) error { return problem.New(problem.Invalid, format, args...) }
	if len(uri) > MaxRedirectURI {
		return bad("is longer than %d bytes", MaxRedirectURI)
	}
	if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"<>\^{|}`+"`*", r) }) {
		return bad("has a character that it cannot have: write it in ASCII, with escapes and without *")
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil, u.Scheme == "":
		return bad("is not an absolute URI")
	case !strings.HasPrefix(uri, u.Scheme+":"):
		return bad("must have its scheme in small letters")
	case strings.Contains(uri, "#"):
		return bad("must have no fragment")
	case u.User != nil:
		return bad("must have no user name and no password")
	}
	switch u.Scheme {
	case "https", "http":
		return checkWebRedirect(u)
	default:
		if !strings.Contains(u.Scheme, ".") || u.Host != "" {
			return bad("must begin with https://, http://127.0.0.1, http://[::1], http://localhost, or be of a private-use scheme with a dot, like com.example.app:/done")
		}
		return nil
	}
}

func checkWebRedirect(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Opaque != "", host == "":
		return problem.New(problem.Invalid, "has no host")
	case host != strings.ToLower(host) || strings.HasSuffix(host, "."):
		return problem.New(problem.Invalid, "must have its host in small letters, without a dot at the end")
	case u.Scheme == "http" && host != "127.0.0.1" && host != "::1" && host != "localhost":
		return problem.New(problem.Invalid, "must begin with https://: http is for 127.0.0.1, [::1] and localhost alone")
	case strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path+"/", "/./"):
		return problem.New(problem.Invalid, "must have no dots as a part of its path")
	}
	return nil
}

// loopbackIP takes an http address at a loopback IP apart: its host, and all that follows its port. Not localhost, which may lead
// elsewhere (RFC 8252 §8.3).
func loopbackIP(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		tail, found := strings.CutPrefix(uri, host)
		if !found {
			continue
		}
		if port, after := tail, ""; strings.HasPrefix(tail, ":") {
			if i := strings.IndexAny(port, "/?"); i >= 0 {
				port, after = tail[:i], tail[i:]
			}
			return host, after, len(port) > 1 && strings.Trim(port[1:], "0123456789") == ""
		}
		return host, tail, tail == "" || tail[0] == '/' || tail[0] == '?'
	}
	return "", "", false
}

// sameOrigin compares scheme, host and port (RFC 6454 §4).
func sameOrigin(document string, u *url.URL) bool {
	d, err := url.Parse(document)
	return err == nil && d.Scheme == "https" && u.Scheme == "https" && d.Hostname() != "" &&
		strings.EqualFold(d.Hostname(), u.Hostname()) && port(d) == port(u)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return "443"
}
