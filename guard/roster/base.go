package roster

import (
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/reach"
	"github.com/devrelopers/aipassport/passport"
)

// BaseURL reads a base URL, without a slash at its end. http and private addresses are for servers of the owner's own network (local).
// Addresses at which clouds answer their own machines are never taken. What a name leads to is looked at when it is dialled. Error:
// Invalid in base.
func BaseURL(text string, local bool) (*url.URL, error) {
	bad := func(format string, args ...any) (*url.URL, error) {
		return nil, problem.New(problem.Invalid, format, args...).In("base")
	}
	if len(text) > passport.MaxBase {
		return bad("has at most %d bytes", passport.MaxBase)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Opaque != "", u.Hostname() == "", u.Scheme != "http" && u.Scheme != "https":
		return bad("is not an address like https://api.example.com/v1")
	case u.User != nil:
		return bad("must have no user name or password: keys have a place of their own")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return bad("must have no ? and no #")
	case strings.Trim(u.Host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") != "":
		return bad("the host has characters that a host cannot have")
	case strings.ContainsAny(u.EscapedPath(), "%\\"):
		return bad("the path must have no escapes")
	}
	u.Host, u.Path, u.RawPath = strings.ToLower(u.Host), strings.TrimRight(u.Path, "/"), ""
	if u.Path != "" && path.Clean(u.Path) != u.Path {
		return bad("the path must have no empty parts and no dots")
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	network := reach.Public // as far as a name tells
	if a, err := netip.ParseAddr(host); err == nil {
		network = reach.Of(a)
	} else if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 §6.3
		network = reach.Private
	} else if numeric(host) {
		return bad("write the address as four numbers from 0 to 255") // some resolvers read 0x7f.1 and 2130706433 as addresses
	}
	switch {
	case network == reach.Never:
		return bad("%s is an address that calls are never sent to", host)
	case network == reach.Private && !local:
		return bad("%s is on this machine or in a private network: say that this is a local server if that is meant", host)
	case u.Scheme == "http" && !local:
		return bad("must begin with https://, unless this is a local server")
	case u.Scheme == "http" && network == reach.Public && isAddr(host):
		return bad("must begin with https://: %s is not in a private network", host)
	}
	return u, nil
}

func isAddr(host string) bool { _, err := netip.ParseAddr(host); return err == nil }

// numeric says whether the last label of a host could be read as a number: no top-level domain is one (RFC 3696 §2).
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x")
}
