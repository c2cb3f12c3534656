package oidc

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// newClient asks the provider that the operator has named, wherever it is. It follows nothing, and reads no more than maxAnswer.
func newClient(agent string) *http.Client {
	d := &net.Dialer{Timeout: askTime}
	return &http.Client{
		Timeout:       askTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{agent, &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: askTime, MaxIdleConns: 4, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 64 << 10, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}},
	}
}

// bounded keeps the libraries, which read answers whole, from reading without end.
type bounded struct {
	agent string
	to    http.RoundTripper
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", b.agent)
	res, err := b.to.RoundTrip(r)
	if err == nil {
		res.Body = &body{res.Body, maxAnswer}
	}
	return res, err
}

var errLarge = errors.New("oidc: an answer that is too large")

// body fails past its bound, so that what is cut is not taken for whole.
type body struct {
	io.ReadCloser
	left int64
}

func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLarge
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
