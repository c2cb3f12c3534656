package server

import (
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"

	"github.com/devrelopers/aipassport/internal/problem"
	"github.com/devrelopers/aipassport/internal/record"
	"github.com/devrelopers/aipassport/internal/respond"
)

// Handler is everything between a connection and a route, in this order: record, canonical path, CORS, route.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.cfg.Routes {
		mux.HandleFunc(rt.Pattern, rt.Handler)
	}
	cors := corsPatterns(s.cfg.Routes)
	straight := straightRoutes(s.cfg.Routes, cors)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &record.Record{ID: s.cfg.NewID(), Method: r.Method, Client: s.ClientAddr(r).String(), Start: s.cfg.Now()}
		r = r.WithContext(record.With(r.Context(), rec))
		out := &writer{ResponseWriter: w, rec: rec}
		defer s.finish(out, r)
		h := w.Header()
		id := []string{rec.ID}
		h["X-Request-Id"], h["Request-Id"] = id, id // the second is the name that Anthropic's clients read
		if s.cfg.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=63072000")
		}
		if len(r.TransferEncoding) > 0 {
			h.Set("Connection", "close") // nothing that came behind a chunked body is read: RFC 9112 §6.1, request smuggling
		}
		deadline := s.cfg.Now().Add(s.cfg.BodyTimeout)
		rc := http.NewResponseController(w)
		rc.SetReadDeadline(deadline)
		rc.SetWriteDeadline(deadline)

		if why := oddPath(r); why != "" {
			s.refuse(out, r, problem.New(problem.Invalid, "%s", why))
			return
		}
		if rt, ok := straight[r.URL.Path]; ok && rt.method == r.Method {
			rec.Route = rt.pattern
			cors.open(h, rt.cors)
			rt.handler(out, r)
			return
		}
		match, pattern := mux.Handler(r)
		rec.Route = pattern
		if cors.allow(out, r, pattern) {
			return
		}
		if pattern == "" {
			s.unrouted(out, r, match)
			return
		}
		mux.ServeHTTP(out, r)
	})
}

// straightRoute is a route that one method has on one path alone, so that a request for it need not be matched against all: the ways in
// for calls are such.
type straightRoute struct {
	method, pattern string
	cors            bool
	handler         http.HandlerFunc
}

// straightRoutes are those of the list, by path. Where a path has several methods or a wildcard, the mux decides.
func straightRoutes(list []Route, c *cors) map[string]straightRoute {
	out, several := map[string]straightRoute{}, map[string]bool{}
	for _, rt := range list {
		method, p, ok := strings.Cut(rt.Pattern, " ")
		if !ok || strings.ContainsAny(p, "{}") || strings.HasSuffix(p, "/") {
			continue
		}
		_, there := out[p]
		several[p] = several[p] || there
		out[p] = straightRoute{method, rt.Pattern, contains(c.methods[p], method), rt.Handler}
	}
	for p := range several {
		if several[p] {
			delete(out, p)
		}
	}
	return out
}

// oddPath says why a path is refused: only the one canonical spelling of a path is routed, so that what is checked is what
// is served (no //, no dot segments, no escaped slashes or letters, no absolute form).
func oddPath(r *http.Request) string {
	switch {
	case r.RequestURI == "*" || !strings.HasPrefix(r.RequestURI, "/"):
		return "the request target must be a path"
	case strings.Contains(unslashed(pathOf(r.RequestURI)), "%"):
		return "the path must not be escaped"
	case path.Clean(r.URL.Path) != strings.TrimSuffix(r.URL.Path, "/") && r.URL.Path != "/":
		return "the path must not have empty or dot segments"
	default:
		return ""
	}
}

// unslashed is a path without the escaped slashes that it may have: those in the name of a model that is asked about (provider/name), which
// SDKs escape. Such a request only reads, and its segments are checked unescaped.
func unslashed(p string) string {
	if name, ok := strings.CutPrefix(p, "/v1/models/"); ok {
		return strings.ReplaceAll(strings.ReplaceAll(name, "%2F", "/"), "%2f", "/")
	}
	return p
}

// unrouted answers where no route matched: 404, or 405 with what is allowed, in the shape of the path's surface.
func (s *Server) unrouted(w *writer, r *http.Request, match http.Handler) {
	probe := &status{h: http.Header{}}
	match.ServeHTTP(probe, r)
	if probe.code == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.h.Get("Allow"))
		s.refuse(w, r, problem.New(problem.MethodNotAllowed, "Method not allowed"))
		return
	}
	if s.cfg.NotFoundPage != nil && WantsPage(r) {
		s.cfg.NotFoundPage(w, r)
		return
	}
	s.refuse(w, r, problem.New(problem.NotFound, "Not found"))
}

func (s *Server) refuse(w *writer, r *http.Request, p *problem.Error) {
	w.rec.Err = p
	d := s.cfg.DialectOf(r.URL.Path)
	if d == nil {
		respond.Error(w, p)
		return
	}
	a := d.Problem(p, w.rec.ID)
	for k, vs := range a.Header {
		w.Header()[k] = vs
	}
	w.WriteHeader(a.Status)
	w.Write(a.Body)
}

// finish writes the request record once, on every path out, a panic of ours among them.
func (s *Server) finish(w *writer, r *http.Request) {
	level := slog.LevelInfo
	cause := recover()
	if cause != nil && cause != http.ErrAbortHandler {
		s.cfg.Log.Error("panic", "id", w.rec.ID, "route", w.rec.Route, "cause", cause, "stack", string(debug.Stack()))
		if !w.wrote {
			s.refuse(w, r, problem.New(problem.Internal, "internal error"))
			cause = nil
		}
	}
	if w.rec.Status >= 500 {
		level = slog.LevelError
	}
	if !s.cfg.LogCalls && w.rec.WentWell() && cause == nil {
		return // the ledger has it
	}
	s.cfg.Log.LogAttrs(r.Context(), level, "request", w.rec.Attrs(s.cfg.Now())...)
	if cause != nil {
		panic(http.ErrAbortHandler)
	}
}

// writer notes status and size for the record.
type writer struct {
	http.ResponseWriter
	rec   *record.Record
	wrote bool
}

func (w *writer) WriteHeader(code int) {
	if !w.wrote {
		w.wrote, w.rec.Status = true, code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *writer) Write(p []byte) (int, error) {
	if !w.wrote {
		w.wrote, w.rec.Status = true, http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.rec.Bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// status takes what the mux would have answered, to see whether it is a 404 or a 405.
type status struct {
	h    http.Header
	code int
}

func (s *status) Header() http.Header         { return s.h }
func (s *status) Write(p []byte) (int, error) { return len(p), nil }
func (s *status) WriteHeader(code int)        { s.code = code }

// pathOf is a request target without its query.
func pathOf(target string) string {
	p, _, _ := strings.Cut(target, "?")
	return p
}
