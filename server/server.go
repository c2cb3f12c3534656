// Package server is the listener: it serves the one list of routes that it is given, with size and time limits, canonical paths,
// CORS, the request record, TLS and drain. It holds no rules of any other kind.
package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/netutil"

	"github.com/devrelopers/aipassport/gateway/dialect"
)

// Config is what the listener works with.
type Config struct {
	Routes            []Route
	DialectOf         func(path string) dialect.Dialect // nil answer: errors in the seed's shape
	NotFoundPage      http.HandlerFunc                  // for browsers; nil: JSON
	Log               *slog.Logger
	LogCalls          bool // log the calls that went well too, and not only what is no call, was refused or failed
	Now               func() time.Time
	NewID             func() string
	ReadHeaderTimeout time.Duration
	BodyTimeout       time.Duration // for reading a request, and for writing an answer that is no call's
	BehindProxy       []netip.Prefix
	TLS               *tls.Config // nil: plain HTTP
	MaxConns          int
}

// Server is an HTTP server that has not been started, or has.
type Server struct {
	cfg  Config
	http *http.Server
}

// Limits that are not settings.
const (
	maxHeaderBytes = 32 << 10
	idleTimeout    = 2 * time.Minute
	maxStreams     = 100 // HTTP/2 streams of one connection
)

// New builds the handler from the route table.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg}
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		TLSConfig:         cfg.TLS,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug), // what peers do wrong is not our error
	}
	return s
}

// Serve serves until Shutdown. It closes l.
func (s *Server) Serve(l net.Listener) error {
	l = netutil.LimitListener(l, s.cfg.MaxConns)
	if s.cfg.TLS != nil {
		return s.http.ServeTLS(l, "", "")
	}
	return s.http.Serve(l)
}

// Shutdown takes no new requests and waits for those that run, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// Close cuts every connection.
func (s *Server) Close() error { return s.http.Close() }
