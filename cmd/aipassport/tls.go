package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is what the listener shows. Its files are looked at in each handshake, so that a renewed certificate counts from the next
// connection on, without a restart; connections that are open go on.
type certificate struct {
	certFile, keyFile string

	mu    sync.Mutex // guards what follows
	pair  *tls.Certificate
	files [2]stamp // as they were when they were last read
}

// stamp tells one content of a file from the next.
type stamp struct {
	at   time.Time
	size int64
}

// loadTLS reads certificate and key. Its error names the setting itself, as those of parseBases and places do.
func loadTLS(cert, key string) (*certificate, error) {
	if cert == "" && key == "" {
		return nil, nil
	}
	if cert == "" {
		return nil, errors.New("AIPASSPORT_TLS_CERT: is needed where AIPASSPORT_TLS_KEY is set")
	}
	if key == "" {
		return nil, errors.New("AIPASSPORT_TLS_KEY: is needed where AIPASSPORT_TLS_CERT is set")
	}
	c := &certificate{certFile: cert, keyFile: key}
	if _, err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// read reads the files if they have changed since they were last read, and says whether it did. After an error, what was there before goes on.
func (c *certificate) read() (bool, error) {
	now := [2]stamp{}
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil { // an error shows below
			now[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	if c.pair != nil && now == c.files {
		return false, nil
	}
	c.files = now // one complaint for each change, also where the two files are not changed at once
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return false, fmt.Errorf("AIPASSPORT_TLS_CERT and AIPASSPORT_TLS_KEY: %w", err)
	}
	c.pair = &pair
	return true, nil
}

// config is the listener's TLS: 1.2 or later, HTTP/2 where the client has it, and the certificate of the moment. nil: plain HTTP.
func (c *certificate) config(log *slog.Logger) *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		changed, err := c.read()
		if err != nil {
			log.Error("a changed certificate cannot be read: the one before it goes on", "error", err.Error())
		}
		if changed {
			log.Info("the certificate was read again")
		}
		return c.pair, nil
	}}
}
