package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/reach"
)

// Bounds of what is fetched.
const (
	MaxDocument = 5 << 10 // bytes of a metadata document, as its draft recommends
	fetchTime   = 3 * time.Second
	maxHeaders  = 8 << 10
	maxFetches  = 8 // at one time
)

// door is the only way from here to the outside: it reads what clients publish, and carries nothing of ours. It dials addresses that are
// open to everyone, and those that the operator lists; it follows nothing and keeps no connection.
type door struct {
	client *http.Client
	agent  string
	places chan struct{} // has one for each fetch that runs
}

// page is what was fetched.
type page struct {
	body  []byte
	fresh time.Duration // as its headers say (RFC 9111 §4.2), before our bounds
}

// newDoor is a door for public addresses and those of allow. roots are the authorities that certificates may be of; nil: the system's.
func newDoor(allow []netip.Prefix, roots *x509.CertPool, agent string) *door {
	// The address is looked at when it is dialled, after the name was resolved, so that a name which leads elsewhere the second time
	// gains nothing.
	d := &net.Dialer{Timeout: fetchTime, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !mayDial(to.Addr(), allow) {
			return errClosed
		}
		return nil
	}}
	return &door{agent: agent, places: make(chan struct{}, maxFetches), client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: fetchTime, DisableKeepAlives: true, DisableCompression: true,
			MaxResponseHeaderBytes: maxHeaders, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	}}
}

var errClosed = errors.New("client: an address that is not open to everyone")

func mayDial(a netip.Addr, allow []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	return a.IsValid() && (reach.Of(a) == reach.Public || slices.ContainsFunc(allow, func(p netip.Prefix) bool { return p.Contains(a) }))
}

// get fetches JSON of at most most bytes. Errors, which are safe to show and say nothing of what is inside our network: Busy; Invalid.
func (d *door) get(ctx context.Context, address string, most int64, now time.Time) (page, error) {
	select {
	case d.places <- struct{}{}:
		defer func() { <-d.places }()
	default:
		return page{}, problem.New(problem.Busy, "too many documents are being fetched").After(fetchTime)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return page{}, problem.Wrap(err, problem.Invalid, "is not an address")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", d.agent)
	res, err := d.client.Do(req)
	if err != nil {
		return page{}, problem.Wrap(err, problem.Invalid, "could not be fetched: it needs a public https server with a valid certificate that answers within %s", fetchTime)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK { // redirects too: the draft forbids to follow them
		return page{}, problem.New(problem.Invalid, "answered with status %d, and must with 200", res.StatusCode)
	}
	if !isJSON(res.Header.Get("Content-Type")) || res.Header.Get("Content-Encoding") != "" {
		return page{}, problem.New(problem.Invalid, "must be application/json, without an encoding")
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err == nil {
		err = ctx.Err() // one that ended just because we hung up
	}
	if err != nil {
		return page{}, problem.Wrap(err, problem.Invalid, "broke off, or took longer than %s", fetchTime)
	}
	if int64(len(body)) > most {
		return page{}, problem.New(problem.Invalid, "is longer than %d bytes", most)
	}
	return page{body, freshness(res.Header, now)}, nil
}

// isJSON takes application/json and application/<something>+json.
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

// CheckDocumentURL says whether a client id is the address of a metadata document: https with a path, no dots as a part of it, no fragment,
// user info or query (draft-ietf-oauth-client-id-metadata-document-01, "Client Identifier"; a query it would allow, but advises against).
// Error: Invalid.
func CheckDocumentURL(id string) error {
	bad := func(format string, args ...any) error {
		return problem.New(problem.Invalid, format, args...).In("client_id")
	}
	u, err := url.Parse(id)
	switch {
	case err != nil, u.Scheme != "https", u.Opaque != "", u.Hostname() == "", !strings.HasPrefix(id, "https://"):
		return bad("is not an https address")
	case strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>", r) }):
		return bad("has a character that it cannot have")
	case u.User != nil, strings.ContainsAny(id, "?#"):
		return bad("must have no user name, query or fragment")
	case u.Path == "" || u.Path == "/":
		return bad("must have a path")
	case u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Hostname(), "."):
		return bad("must have its host in small letters, without a dot at the end")
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if part == "." || part == ".." {
			return bad("must have no dots as a part of its path")
		}
	}
	return nil
}

func hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("parse an address: %w", err)
	}
	return u.Host, nil
}
