package seed

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/devrelopers/aipassport/internal/fields"
)

// webURL is appUrl: absolute, http or https, with a host that a browser would go to, and without user info.
func webURL(o *fields.Object) string {
	if o.Has("appUrl") && fields.Kind(o.Raw("appUrl")) == "string" && fields.Text(o.Raw("appUrl")) == "" {
		o.Fail("appUrl", "Invalid url")
		return ""
	}
	s := text(o, "appUrl", maxURL)
	if s != "" && !webAddress(s) {
		o.Fail("appUrl", "Invalid url")
	}
	return s
}

// webAddress takes what RFC 3986 takes and browsers do as well. What browsers would mend (spaces, line ends, backslashes, a missing
// //) is refused: others who read it would see another address.
func webAddress(s string) bool {
	if strings.ContainsAny(s, " \t\r\n\\") {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n > 65535 {
			return false
		}
	}
	return webHost(u)
}

// webHost says whether a browser would take a host (WHATWG URL, "host parsing"): none of the forbidden code points, and where the
// last label is a number, an IPv4 address of four parts.
func webHost(u *url.URL) bool {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Is6() && ip.Zone() == ""
	}
	if host == "" || strings.ContainsAny(host, "#/:<>?@[]^|%") {
		return false
	}
	labels := strings.TrimSuffix(host, ".")
	last := strings.ToLower(labels[strings.LastIndexByte(labels, '.')+1:])
	if last == "" {
		return false
	}
	if strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x") {
		return true
	}
	ip, err := netip.ParseAddr(labels)
	return err == nil && ip.Is4()
}
