package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// ClientID is the command line's: every broker knows it, as a public client that waits on loopback.
const ClientID = "aipassport-cli"

// Bounds of what is asked of the broker's authorization server.
const (
	answerTime = 30 * time.Second
	maxAnswer  = 1 << 20 // bytes
	maxIdle    = 64      // connections that wait for the next call
)

// broker is one broker, asked with one key.
type broker struct {
	issuer *url.URL // as it calls itself: proofs name its addresses (htu), not those by which it was found
	key    *key
	client *http.Client
	now    func() time.Time
	nonces [2]atomic.Pointer[string] // the newest of each server that is in a broker (RFC 9449 §8.2)
}

// The servers that are in a broker.
const (
	authorizationServer = iota
	resourceServer
)

// newClient follows no redirects, so that no token goes where it was not sent, and hears an answer of any length and duration: the broker
// has its own bounds.
func newClient() *http.Client {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: answerTime, ForceAttemptHTTP2: true, DialContext: (&net.Dialer{Timeout: answerTime}).DialContext}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Refused is an answer of the authorization server that is none (RFC 6749 §5.2).
type Refused struct {
	Status            int
	Code, Description string
}

func (r Refused) Error() string {
	if r.Code == "" {
		return fmt.Sprintf("the broker answered %d, and not as an authorization server does", r.Status)
	}
	if r.Description == "" {
		return "the broker says: " + r.Code
	}
	return "the broker says: " + r.Description + " (" + r.Code + ")"
}

// discover asks a broker what it calls itself (RFC 8414 §3). Another name than that by which it was found is refused, but for the two names of
// loopback: whoever could answer in its place would get tokens otherwise (RFC 8414 §3.3).
func discover(ctx context.Context, client *http.Client, at *url.URL) (*url.URL, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.JoinPath(".well-known", "oauth-authorization-server").String(), nil)
	if err != nil {
		return nil, err
	}
	var got struct{ Issuer string }
	if err := answer(client, req, &got); err != nil {
		return nil, err
	}
	issuer, err := url.Parse(got.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("the broker at %s does not say what it is called", at)
	}
	if got.Issuer == strings.TrimSuffix(at.String(), "/") {
		return issuer, nil
	}
	if loopback(at.Hostname()) && loopback(issuer.Hostname()) && at.Port() == issuer.Port() && at.Scheme == issuer.Scheme {
		return issuer, nil
	}
	return nil, fmt.Errorf("the broker at %s calls itself %s: use that address", at, got.Issuer)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// answer sends a request and reads a good answer into out.
func answer(client *http.Client, req *http.Request, out any) error {
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the broker does not answer: %w", err)
	}
	defer res.Body.Close()
	return read(res, out)
}

func read(res *http.Response, out any) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the broker's answer: %w", err)
	}
	if res.StatusCode/100 != 2 {
		r := Refused{Status: res.StatusCode}
		var e struct {
			Error, Description string
		}
		var d struct {
			Description string `json:"error_description"`
		}
		if json.Unmarshal(text, &e) == nil {
			json.Unmarshal(text, &d)
			r.Code, r.Description = e.Error, d.Description
		}
		return r
	}
	if out == nil || len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read the broker's answer: %w", err)
	}
	return nil
}

// post sends a form to an endpoint of the authorization server with a proof, and once more if the server wants its nonce in it
// (RFC 9449 §8).
func (b *broker) post(ctx context.Context, path string, form url.Values, out any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	form.Set("client_id", ClientID)
	for try := 0; ; try++ {
		res, err := b.send(ctx, http.MethodPost, b.issuer.JoinPath(path), "", authorizationServer,
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}, []byte(form.Encode()))
		if err != nil {
			return fmt.Errorf("the broker does not answer: %w", err)
		}
		err = read(res, out)
		res.Body.Close()
		if r, ok := err.(Refused); ok && r.Code == "use_dpop_nonce" && try == 0 {
			continue
		}
		return err
	}
}

// send makes one request with a proof that fits it, and keeps the nonce that the answer brings. The caller closes the body.
func (b *broker) send(ctx context.Context, method string, to *url.URL, token string, server int, h http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	nonce := ""
	if n := b.nonces[server].Load(); n != nil {
		nonce = *n
	}
	proof, err := b.key.proof(method, to, token, nonce, b.now())
	if err != nil {
		return nil, err
	}
	req.Header = h.Clone()
	req.Header.Set("DPoP", proof)
	if token != "" {
		req.Header.Set("Authorization", "DPoP "+token)
	}
	res, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	if n := res.Header.Get("DPoP-Nonce"); n != "" {
		b.nonces[server].Store(&n)
	}
	return res, nil
}

// challenged says whether an answer's challenges name an error (RFC 6750 §3, RFC 9449 §7.1).
func challenged(res *http.Response, code string) bool {
	return slices.ContainsFunc(res.Header.Values("WWW-Authenticate"), func(c string) bool { return strings.Contains(c, `error="`+code+`"`) })
}
