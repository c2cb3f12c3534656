package connect

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Bounds of waiting for a person.
const (
	pollLeast  = time.Second
	pollMost   = time.Minute
	maxWaiting = 8 // requests whose answer is waited for at one time
)

// waiting is one request that a browser has gone to the broker with.
type waiting struct {
	state    string
	verifier string
	redirect string
	answer   chan url.Values // one; of a request for more, none
	more     bool
}

// door is where browsers come back to: each with the state of one request, once.
type door struct {
	mu   sync.Mutex // guards open
	open map[string]*waiting
}

// authorize asks for details by the browser (RFC 6749 §4.1, with PKCE S256, RFC 7636, and a pushed request, RFC 9126) and returns the page to
// open. The request waits in the door under its state.
func (s *Sidecar) authorize(ctx context.Context, details, grant string) (page string, w *waiting, err error) {
	w = &waiting{state: randomText(), verifier: randomText(), redirect: "http://" + s.host + "/callback", answer: make(chan url.Values, 1), more: grant != ""}
	sum := sha256.Sum256([]byte(w.verifier))
	form := url.Values{"response_type": {"code"}, "redirect_uri": {w.redirect}, "state": {w.state}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"}, "authorization_details": {details}}
	if grant != "" {
		form.Set("grant_id", grant)
	}
	var pushed struct {
		URI string `json:"request_uri"`
	}
	if err := s.broker.post(ctx, "/oauth/par", form, &pushed); err != nil {
		return "", nil, err
	}
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	if len(s.door.open) >= maxWaiting { // of requests for more that nobody came back from
		maps.DeleteFunc(s.door.open, func(_ string, w *waiting) bool { return w.more })
	}
	if len(s.door.open) >= maxWaiting {
		return "", nil, errors.New("too many requests wait for an answer")
	}
	s.door.open[w.state] = w
	to := *s.broker.issuer.JoinPath("oauth", "authorize")
	to.RawQuery = url.Values{"client_id": {ClientID}, "request_uri": {pushed.URI}}.Encode()
	return to.String(), w, nil
}

// callback takes the browser's way back. What fits no request that waits is nothing.
func (s *Sidecar) callback(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	s.door.mu.Lock()
	var found *waiting
	for state, one := range s.door.open {
		if subtle.ConstantTimeCompare([]byte(state), []byte(v.Get("state"))) == 1 {
			found = one
			delete(s.door.open, state)
			break
		}
	}
	s.door.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if found == nil {
		http.Error(w, "Nothing waits for this answer.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if found.more {
		text := s.added(r.Context(), found, v)
		s.cfg.Say(text)
		fmt.Fprintln(w, "aipassport connect: "+text+".")
		return
	}
	found.answer <- v
	fmt.Fprintln(w, "aipassport connect has the answer. You can close this page.")
}

// redeem waits for the answer of a request, and finishes it.
func (s *Sidecar) redeem(ctx context.Context, w *waiting) error {
	defer func() {
		s.door.mu.Lock()
		delete(s.door.open, w.state)
		s.door.mu.Unlock()
	}()
	var v url.Values
	select {
	case v = <-w.answer:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return s.finish(ctx, w, v)
}

// finish checks an answer and gets tokens for its code (RFC 6749 §4.1.3).
func (s *Sidecar) finish(ctx context.Context, w *waiting, v url.Values) error {
	// RFC 9207 §2.4: an answer of another server is none.
	if v.Get("iss") != strings.TrimSuffix(s.broker.issuer.String(), "/") {
		return errors.New("the answer is not of this broker")
	}
	if e := v.Get("error"); e != "" {
		return Refused{Status: http.StatusBadRequest, Code: e, Description: v.Get("error_description")}
	}
	var got tokens
	err := s.broker.post(ctx, "/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {v.Get("code")}, "redirect_uri": {w.redirect},
		"code_verifier": {w.verifier}}, &got)
	if err != nil {
		return err
	}
	return s.hold.take(got)
}

// device asks for details on another device (RFC 8628), shows where and with which code, and polls.
func (s *Sidecar) device(ctx context.Context, details string) error {
	var asked struct {
		Device   string `json:"device_code"`
		User     string `json:"user_code"`
		At       string `json:"verification_uri"`
		Seconds  int64  `json:"expires_in"`
		Interval int64  `json:"interval"`
	}
	if err := s.broker.post(ctx, "/oauth/device_authorization", url.Values{"authorization_details": {details}}, &asked); err != nil {
		return err
	}
	s.cfg.Code(asked.At, asked.User)
	every := time.Duration(asked.Interval) * time.Second
	if asked.Interval == 0 {
		every = 5 * time.Second // RFC 8628 §3.2
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(asked.Seconds)*time.Second, errors.New("nobody answered in time"))
	defer cancel()
	for {
		t := time.NewTimer(min(max(every, pollLeast), pollMost))
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
		var got tokens
		err := s.broker.post(ctx, "/oauth/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {asked.Device}}, &got)
		switch r, _ := errors.AsType[Refused](err); {
		case err == nil:
			return s.hold.take(got)
		case r.Code == "authorization_pending":
		case r.Code == "slow_down":
			every += 5 * time.Second // RFC 8628 §3.5
		default:
			return err
		}
	}
}
