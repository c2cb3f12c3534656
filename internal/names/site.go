package names

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Site is where an address leads, without path, user info or query.
type Site struct {
	Host        string // ASCII form (RFC 5890 A-labels), lower case, no port; empty if the address cannot be read
	Sub         string // what stands before the registrable domain, with its last dot: "notes."
	Registrable string // the registrable domain, or the whole host where there is none; "this computer" for loopback
	Port        string // ":8443"; empty if it is the scheme's own
	Loopback    bool
	UserInfo    bool // it had user info, the oldest trick (https://bank@evil)
}

// ThisComputer is how loopback is written.
const ThisComputer = "this computer"

// maxAddress bounds what is parsed, in bytes.
const maxAddress = 2048

// Address reads an address that an app claims. What is no http or https address gives the zero Site and false.
func Address(raw string) (Site, bool) {
	if len(raw) > maxAddress || !utf8.ValidString(raw) || strings.ContainsAny(raw, "\\ \t\r\n") {
		return Site{}, false
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || (u.Scheme != "http" && u.Scheme != "https") {
		return Site{}, false
	}
	s := Site{UserInfo: u.User != nil}
	if port := u.Port(); port != "" && !(u.Scheme == "https" && port == "443") && !(u.Scheme == "http" && port == "80") {
		s.Port = ":" + port
	}
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil {
		return s.ip(ip.WithZone("").Unmap()), true
	}
	host, err = idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || !lengths(host) || numeric(host) {
		return Site{}, false
	}
	s.Host = strings.ToLower(host)
	if s.Host == "localhost" || strings.HasSuffix(s.Host, ".localhost") { // RFC 6761 §6.3
		s.Loopback, s.Registrable, s.Port = true, ThisComputer, ""
		return s, true
	}
	s.Registrable = s.Host
	if reg, err := publicsuffix.EffectiveTLDPlusOne(s.Host); err == nil {
		s.Registrable, s.Sub = reg, strings.TrimSuffix(s.Host, reg)
	}
	return s, true
}

// Where is where the access of a grant goes: the host that we know of, or a private-use scheme with its colon (passport.Client.Site); where
// we know of none, the address that the app claims.
func Where(site, claimed string) (Site, bool) {
	switch {
	case site == "":
		return Address(claimed)
	case strings.HasSuffix(site, ":"):
		return Site{Host: site, Registrable: site}, true
	default:
		return Address("https://" + site)
	}
}

func (s Site) ip(ip netip.Addr) Site {
	s.Host, s.Registrable = ip.String(), ip.String()
	if ip.IsLoopback() {
		s.Loopback, s.Registrable, s.Port = true, ThisComputer, ""
	} else if ip.Is6() {
		s.Registrable = "[" + ip.String() + "]"
	}
	return s
}

// lengths says whether a host keeps to the sizes of RFC 1035 §2.3.4.
func lengths(host string) bool {
	for l := range strings.SplitSeq(host, ".") {
		if l == "" || len(l) > 63 {
			return false
		}
	}
	return len(host) <= 253
}

// numeric says whether a browser would read a host as an IPv4 address in disguise: its last label is a number, decimal or
// hexadecimal (WHATWG URL, "ends in a number").
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if strings.HasPrefix(strings.ToLower(last), "0x") {
		return true
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// large are sites that are worth imitating, the providers first.
var large = []string{"openai.com", "chatgpt.com", "anthropic.com", "claude.ai", "claude.com", "google.com", "gemini.com",
	"microsoft.com", "github.com", "gitlab.com", "apple.com", "icloud.com", "amazon.com", "paypal.com", "facebook.com", "instagram.com",
	"whatsapp.com", "telegram.org", "twitter.com", "linkedin.com", "netflix.com", "wikipedia.org", "youtube.com", "discord.com", "slack.com",
	"notion.so", "dropbox.com", "stripe.com", "cloudflare.com", "huggingface.co", "perplexity.ai", "mistral.ai", "deepseek.com",
	"openrouter.ai", "outlook.com", "office.com", "adobe.com", "coinbase.com", "binance.com", "vercel.com", "figma.com"}

// Lookalike says which known site an address can be taken for without being it; empty: none. known are the owner's own, as
// registrable domains.
func Lookalike(s Site, known []string) string {
	if s.Host == "" || s.Loopback {
		return ""
	}
	all := append(slices.Clone(known), large...)
	if slices.Contains(all, s.Registrable) {
		return ""
	}
	for _, k := range all {
		if imitates(s, k) {
			return k
		}
	}
	return ""
}

// imitates compares the names before the public suffix: alike in looks, one letter away, carried as a word of the name, or
// the whole known address put in front of another.
func imitates(s Site, known string) bool {
	mine, theirs := label(s.Registrable), label(known)
	if len(theirs) < 4 {
		return false
	}
	sk, want := Skeleton(unicodeForm(mine)), Skeleton(unicodeForm(theirs))
	if sk == want || (len(want) >= 6 && near(sk, want)) {
		return true
	}
	if strings.HasPrefix(s.Sub, known+".") || strings.Contains(s.Sub, "."+known+".") {
		return true
	}
	for _, l := range append(strings.Split(s.Sub, "."), mine) {
		for w := range strings.SplitSeq(unicodeForm(l), "-") {
			if len(want) >= 5 && Skeleton(w) == want {
				return true
			}
		}
	}
	return false
}

// label is the part of a registrable domain that someone chose.
func label(registrable string) string {
	l, _, _ := strings.Cut(registrable, ".")
	return l
}

func unicodeForm(label string) string {
	u, err := idna.Punycode.ToUnicode(label)
	if err != nil {
		return label
	}
	return u
}

// near says whether two texts are one change apart: a letter more, less, other, or two swapped.
func near(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) < len(y) {
		x, y = y, x
	}
	if len(x)-len(y) > 1 {
		return false
	}
	i := 0
	for i < len(y) && x[i] == y[i] {
		i++
	}
	if len(x) > len(y) {
		return slices.Equal(x[i+1:], y[i:])
	}
	if i == len(y) || slices.Equal(x[i+1:], y[i+1:]) {
		return true
	}
	return i+1 < len(y) && x[i] == y[i+1] && x[i+1] == y[i] && slices.Equal(x[i+2:], y[i+2:])
}
