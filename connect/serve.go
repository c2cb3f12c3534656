package connect

import (
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// served are the paths that go on to the broker: those that a token opens. No page of the owner's and nothing of the authorization server is
// among them.
var served = []string{"/v1/", "/anthropic/", "/google/", "/api/v1/", "/proxy/"}

// notSent are headers that stay here: credentials of this side, what is about the connection (RFC 9110 §7.6.1), and what only a browser or a
// proxy says.
var notSent = []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Dpop", "Cookie", "Origin", "Referer", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host",
	"X-Forwarded-Proto", "X-Real-Ip", "Expect", "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Content-Length", "Host"}

// notBrought are headers of an answer that stay here.
var notBrought = []string{"Dpop-Nonce", "Set-Cookie", "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Trailer", "Transfer-Encoding", "Upgrade",
	"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Access-Control-Allow-Credentials", "Vary"}

// serve answers one request. The order is what keeps others out: by what name, from which page, to where, with which key, and only then the
// body and the broker.
func (s *Sidecar) serve(w http.ResponseWriter, r *http.Request) {
	// 1 Only by a name of loopback: DNS can lead another name here, and a page of that name would be same-origin with us.
	if !s.named(r.Host) {
		refuse(w, r, http.StatusMisdirectedRequest, "this is aipassport connect on loopback, and not "+clip(r.Host))
		return
	}
	switch r.URL.Path {
	case "/callback":
		s.callback(w, r)
		return
	case "/more":
		s.askMore(w, r)
		return
	}
	// 2 No web page, unless it was named at the start.
	origin := r.Header.Get("Origin")
	if origin != "" && !slices.Contains(s.cfg.Origins, origin) {
		refuse(w, r, http.StatusForbidden, "web pages may not call aipassport connect: --allow-origin names those that may")
		return
	}
	if origin != "" && allowOrigin(w, r, origin) {
		return
	}
	// 3 Only where a token leads.
	if !slices.ContainsFunc(served, func(p string) bool { return strings.HasPrefix(r.URL.Path, p) }) || r.URL.EscapedPath() != r.URL.Path {
		refuse(w, r, http.StatusNotFound, "there is nothing at this address: "+strings.Join(served, " "))
		return
	}
	// 4 Only with the local key: other users of this computer reach loopback too.
	if !s.opens(r) {
		refuse(w, r, http.StatusUnauthorized, "this is not the key that aipassport connect printed")
		return
	}
	if !s.ready.Load() {
		w.Header().Set("Retry-After", "5")
		refuse(w, r, http.StatusServiceUnavailable, "aipassport connect waits for an answer on the consent page")
		return
	}
	// 5 Bounds.
	if s.calls.Add(1) > maxCalls {
		s.calls.Add(-1)
		w.Header().Set("Retry-After", "1")
		refuse(w, r, http.StatusTooManyRequests, "too many calls at one time")
		return
	}
	defer s.calls.Add(-1)
	body, release, ok := s.body(w, r)
	defer release()
	if !ok {
		return
	}
	// 6 The broker.
	s.forward(w, r, body)
}

// opens says whether a request shows the local key, where SDKs show theirs, and nothing else beside it.
func (s *Sidecar) opens(r *http.Request) bool {
	key, shown, right := s.Key(), 0, 0
	look := func(v string) {
		shown++
		right += subtle.ConstantTimeCompare([]byte(v), []byte(key))
	}
	for _, v := range r.Header.Values("Authorization") {
		scheme, text, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return false
		}
		look(text)
	}
	for _, name := range []string{"X-Api-Key", "X-Goog-Api-Key"} {
		for _, v := range r.Header.Values(name) {
			look(v)
		}
	}
	for _, v := range r.URL.Query()["key"] {
		look(v)
	}
	return shown > 0 && right == shown
}

// body reads a body whole, because it may have to be sent again. If it cannot, it has answered.
func (s *Sidecar) body(w http.ResponseWriter, r *http.Request) (body []byte, release func(), ok bool) {
	var held int64
	release = func() { s.bodies.Add(-held) }
	http.NewResponseController(w).SetReadDeadline(s.cfg.Now().Add(bodyTime))
	in, piece := http.MaxBytesReader(w, r.Body, maxBody), make([]byte, 32<<10)
	for {
		n, err := in.Read(piece)
		held += int64(n)
		if s.bodies.Add(int64(n)) > maxBodies {
			w.Header().Set("Retry-After", "1")
			refuse(w, r, http.StatusTooManyRequests, "too many bytes of calls at one time")
			return nil, release, false
		}
		body = append(body, piece[:n]...)
		if err == io.EOF {
			http.NewResponseController(w).SetReadDeadline(time.Time{})
			return body, release, true
		}
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			refuse(w, r, http.StatusRequestEntityTooLarge, "the body is longer than 32 MiB")
			return nil, release, false
		}
		if err != nil {
			refuse(w, r, http.StatusBadRequest, "the body did not come in")
			return nil, release, false
		}
	}
}

// forward sends a call with a fresh proof, again if the broker wants its nonce or another token, and passes the answer on as it comes. What
// the broker refused with 401 it has not begun: nothing is held for it.
func (s *Sidecar) forward(w http.ResponseWriter, r *http.Request, body []byte) {
	to := *s.broker.issuer.JoinPath(r.URL.Path)
	q := r.URL.Query()
	q.Del("key")
	to.RawQuery = q.Encode()
	h := without(r.Header, notSent)
	stale := ""
	for try := 1; ; try++ {
		token, err := s.hold.token(r.Context(), stale)
		if errors.Is(err, ErrEnded) {
			s.cfg.Say(err.Error())
			refuse(w, r, http.StatusUnauthorized, err.Error())
			return
		}
		if err != nil {
			refuse(w, r, http.StatusBadGateway, "no token: "+err.Error())
			return
		}
		res, err := s.broker.send(r.Context(), r.Method, &to, token, resourceServer, h, body)
		if err != nil {
			if r.Context().Err() == nil {
				refuse(w, r, http.StatusBadGateway, "the broker does not answer")
			}
			return
		}
		nonce, gone := challenged(res, "use_dpop_nonce"), challenged(res, "invalid_token")
		if res.StatusCode == http.StatusUnauthorized && (nonce || gone) && try < maxTries && (stale == "" || nonce) {
			res.Body.Close()
			if gone {
				stale = token
			}
			continue
		}
		s.hint(res)
		s.relay(w, res)
		return
	}
}

// relay passes an answer on piece by piece. One that breaks off is broken off here too, so that it cannot be taken for a whole one.
func (s *Sidecar) relay(w http.ResponseWriter, res *http.Response) {
	defer res.Body.Close()
	for name, values := range without(res.Header, notBrought) {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	rc, piece := http.NewResponseController(w), make([]byte, 32<<10)
	for {
		n, err := res.Body.Read(piece)
		if n > 0 {
			rc.SetWriteDeadline(s.cfg.Now().Add(writeTime))
			if _, err := w.Write(piece[:n]); err != nil {
				return
			}
			rc.Flush()
		}
		if err == io.EOF {
			rc.SetWriteDeadline(time.Time{})
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// without is a copy of headers without some, and without those that Connection names.
func without(h http.Header, names []string) http.Header {
	out := h.Clone()
	for _, v := range h.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			out.Del(textproto.TrimString(name))
		}
	}
	for _, name := range names {
		out.Del(name)
	}
	return out
}

// allowOrigin lets a page that was named read answers, and answers its preflight.
func allowOrigin(w http.ResponseWriter, r *http.Request, origin string) (answered bool) {
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Add("Vary", "Origin")
	if r.Method != http.MethodOptions {
		w.Header().Set("Access-Control-Expose-Headers", "*")
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
	w.Header().Set("Access-Control-Allow-Headers", "authorization, content-type, x-api-key, x-goog-api-key, anthropic-version, anthropic-beta, idempotency-key, *")
	w.WriteHeader(http.StatusNoContent)
	return true
}
