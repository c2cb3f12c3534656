// Package upstream is the only door to a provider: transport, addresses, the credential in its header, time limits, and the
// removal of the credential from whatever comes back. It does not know who is calling or why.
package upstream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/secret"
	"github.com/devrelopers/aipassport/passport"
)

// Config says where the providers are and how long they may take. All fields but Added are required.
type Config struct {
	Bases         map[passport.Provider]*url.URL        // as the SDKs mean them: OpenAI's with /v1 in the path, the others' without a version
	Added         func(passport.Provider) (Place, bool) // where another provider is; nil: there is no other
	HeaderTimeout time.Duration                         // from the request sent to the first byte of the answer
	IdleTimeout   time.Duration                         // between two reads of an answer
	UserAgent     string
}

// Client sends calls to providers.
type Client struct {
	cfg  Config
	rt   *door // to the built-in providers, where the operator says that they are
	open *door // to added ones that everyone can reach
	home *door // to added ones in the owner's own network, in clear
	any  *door // to added ones in the owner's own network or beyond
}

// New returns a client with a connection pool of its own.
func New(cfg Config) *Client {
	if cfg.Added == nil {
		cfg.Added = func(passport.Provider) (Place, bool) { return Place{}, false }
	}
	c := &Client{cfg: cfg, rt: newDoor(cfg, nil), open: newDoor(cfg, onlyOpen), home: newDoor(cfg, onlyHome), any: newDoor(cfg, openOrHome)}
	c.rt.encrypted.Proxy = http.ProxyFromEnvironment
	for _, base := range cfg.Bases {
		if through, err := http.ProxyFromEnvironment(&http.Request{URL: base}); through != nil || err != nil {
			c.rt.clear = nil
		}
	}
	return c
}

// door is a way out: connections that may be made to the same places.
type door struct {
	encrypted *http.Transport // for what is in clear too, where clear is nil or a body is large
	clear     *clear
}

// newDoor has no proxy: where one leads could not be looked at.
func newDoor(cfg Config, control func(network, address string, c syscall.RawConn) error) *door {
	dial := (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second, Control: control}).DialContext
	d := &door{encrypted: &http.Transport{
		DialContext:            dial,
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  cfg.HeaderTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        2 * idlePeriod,
		DisableCompression:     true, // an encoded answer could be a bomb, and its usage unreadable
		MaxResponseHeaderBytes: maxHead,
		ReadBufferSize:         4 << 10,
		WriteBufferSize:        2 << 10, // kept by each connection for as long as its stream goes on
	}}
	if canAsk {
		d.clear = &clear{dial: dial, idle: map[string][]*line{}}
	}
	return d
}

// Close drops idle connections.
func (c *Client) Close() {
	for _, d := range []*door{c.rt, c.open, c.home, c.any} {
		d.encrypted.CloseIdleConnections()
		if d.clear != nil {
			d.clear.sweep(true)
		}
	}
}

// Request is one call as it leaves. Header holds only what the dialect lets through.
type Request struct {
	Provider passport.Provider
	Method   string // empty: POST
	Path     string // as dialect.Request.Path: with the version, below the provider's origin
	Header   http.Header
	Type     string // of the body; empty: application/json
	Body     []byte
	Stream   bool
	Accept   []string // media types of an answer, besides application/json
}

// Answer is what came back. Body must be closed; it ends with UpstreamTimeout when the provider falls silent, and no byte
// of the credential comes through it.
type Answer struct {
	Status int
	Length int64       // of the body as the provider announced it; -1: not said
	Begun  bool        // some of the body has come with the header: a read of it need not wait for the provider to go on
	Header http.Header // of the provider, whole: whoever forwards it picks by name
	Body   io.ReadCloser
}

// Error is a failed call. Sent says whether a byte may have left, in which case it may have been billed.
type Error struct {
	Sent bool
	Err  *problem.Error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Do makes one attempt, never a second one: each attempt that reaches a provider needs a hold of its own. The error is
// always an *Error. Redirects are not followed: they would carry the credential to another host.
func (c *Client) Do(ctx context.Context, r Request, key secret.Text) (*Answer, error) {
	req, via, err := c.build(r, key)
	if err != nil {
		return nil, &Error{Err: problem.From(err)}
	}
	w := &watched{ctx: ctx, cfg: &c.cfg}
	res, sent, err := w.roundTrip(req, r.Body, via)
	if err != nil {
		return nil, &Error{Sent: sent, Err: classify(w.cause(), err)}
	}
	w.body = res.Body
	bare := key.Reveal()
	if enc := res.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		w.Close()
		return nil, &Error{Sent: true, Err: problem.New(problem.UpstreamFailed, "the provider sent an encoded answer that was not asked for")}
	}
	return &Answer{Status: res.StatusCode, Length: res.ContentLength, Begun: begun(res.Body), Header: scrubHeader(res.Header, bare), Body: newRedactor(w, bare)}, nil
}

// Values of headers that all requests share; nobody changes them in place.
var identity, onlyJSON, events = []string{"identity"}, []string{"application/json"}, []string{"text/event-stream"}

func (c *Client) build(r Request, key secret.Text) (*http.Request, *door, error) {
	place, added := c.cfg.Added(r.Provider)
	u, err := c.target(r.Provider, r.Path, place)
	if err != nil {
		return nil, nil, err
	}
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	req := &http.Request{Method: method, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 8)}
	for k, vs := range r.Header {
		req.Header[k] = vs
	}
	h := req.Header
	h["User-Agent"], h["Accept-Encoding"] = []string{c.cfg.UserAgent}, identity
	switch {
	case r.Stream:
		h["Accept"] = events
	case len(r.Accept) == 0:
		h["Accept"] = onlyJSON
	default:
		h["Accept"] = []string{"application/json, " + strings.Join(r.Accept, ", ")}
	}
	if r.Body != nil {
		// The bytes are whole and their length is known; without GetBody net/http cannot send them a second time.
		h.Set("Content-Type", cmp.Or(r.Type, "application/json"))
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.Body)), int64(len(r.Body))
	}
	switch r.Provider {
	case passport.OpenAI, passport.Sandbox:
		h.Set("Authorization", "Bearer "+key.Reveal())
	case passport.Anthropic:
		h.Set("X-Api-Key", key.Reveal())
	case passport.Google:
		h.Set("X-Goog-Api-Key", key.Reveal())
	default:
		if !added {
			return nil, nil, problem.New(problem.Internal, "no way to show a credential to provider %q", r.Provider)
		}
		return req, c.door(place), place.show(h, key)
	}
	return req, c.rt, nil
}

// target joins a provider's base and a path that one of our dialects made; nothing of a client's path gets here unescaped.
func (c *Client) target(p passport.Provider, path string, place Place) (*url.URL, error) {
	base, builtIn := c.cfg.Bases[p]
	if !builtIn {
		base = place.Base
	}
	if base == nil {
		return nil, problem.New(problem.CredentialMissing, "provider '%s' is not set up in this broker any more: its owner has removed it", p)
	}
	path, query, _ := strings.Cut(path, "?")
	if !builtIn || p == passport.OpenAI || p == passport.Sandbox {
		path = strings.TrimPrefix(path, "/v1") // OpenAI's base has the version in it
	}
	u := *base
	u.RawQuery = query
	if base.RawPath == "" && plain(path) {
		u.Path = strings.TrimSuffix(base.Path, "/") + path
		return &u, nil
	}
	ref, err := url.Parse(strings.TrimSuffix(base.EscapedPath(), "/") + path)
	if err != nil || !strings.HasPrefix(path, "/") {
		return nil, problem.Wrap(err, problem.Internal, "no upstream path")
	}
	u.Path, u.RawPath = ref.Path, ref.RawPath
	return &u, nil
}

// plain says whether a path is its own escaped form (RFC 3986 §3.3), which needs no parsing: most are.
func plain(path string) bool {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return false
	}
	for i := range len(path) {
		c := path[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '/' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// classify says what a failed round trip was. The cause of our own cancelling comes first.
func classify(cause, err error) *problem.Error {
	if cause != nil {
		return problem.From(cause)
	}
	if re, ok := errors.AsType[*refusedAddress](err); ok {
		return problem.Wrap(err, problem.UpstreamFailed, "%s", re.Error())
	}
	if te, ok := errors.AsType[net.Error](err); ok && te.Timeout() {
		return problem.Wrap(err, problem.UpstreamTimeout, "the provider did not answer in time")
	}
	return problem.Wrap(err, problem.UpstreamFailed, "the provider could not be reached")
}
