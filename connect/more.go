package connect

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"
)

// more is what the last refusal said is to be asked for, behind a link of our own: a pushed request lives for a minute, and is made when the
// link is followed.
type more struct {
	mu    sync.Mutex // guards what follows
	told  time.Time
	ask   string // the link's secret; empty: there is no link
	wants string // authorization_details, JSON
	grant string // to be raised; empty: another one
}

// remediation is what docs/design/gateway.md says a refusal carries.
var remediation = regexp.MustCompile(`authorization_remediation="([A-Za-z0-9_-]+)"`)

// hint tells the person, once a minute, that a call was refused for what the grant does not cover, with a link by which to ask for it.
func (s *Sidecar) hint(res *http.Response) {
	if !challenged(res, "insufficient_authorization_details") {
		return
	}
	var wants struct {
		Details json.RawMessage `json:"authorization_details"`
		Grant   string          `json:"grant_id"`
	}
	for _, c := range res.Header.Values("WWW-Authenticate") {
		m := remediation.FindStringSubmatch(c)
		if m == nil || len(m[1]) > maxMore {
			continue
		}
		if b, err := base64.RawURLEncoding.DecodeString(m[1]); err == nil {
			json.Unmarshal(b, &wants)
		}
	}
	if len(wants.Details) == 0 || wants.Grant == "" {
		return // nothing that is asked for would raise this grant
	}
	s.more.mu.Lock()
	now := s.cfg.Now()
	tell := s.more.told.IsZero() || now.Sub(s.more.told) >= moreEvery
	if tell {
		s.more.told, s.more.ask = now, randomText()
		s.more.wants, s.more.grant = string(wants.Details), wants.Grant
	}
	ask := s.more.ask
	s.more.mu.Unlock()
	if tell {
		s.cfg.Say("a call was refused: the access does not cover it. To ask for more, open http://" + s.host + "/more?ask=" + ask)
	}
}

// askMore sends the browser to the consent page for what was refused. The grant is the same one, and so is the token: what is added holds for
// the next call.
func (s *Sidecar) askMore(w http.ResponseWriter, r *http.Request) {
	s.more.mu.Lock()
	ask, wants, grant := s.more.ask, s.more.wants, s.more.grant
	right := ask != "" && subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("ask")), []byte(ask)) == 1
	if right {
		s.more.ask = "" // once
	}
	s.more.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if !right {
		http.Error(w, "There is nothing to ask for by this link, or it was used.", http.StatusNotFound)
		return
	}
	page, _, err := s.authorize(r.Context(), wants, grant)
	if err != nil {
		http.Error(w, "It cannot be asked for: "+err.Error(), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, page, http.StatusSeeOther)
}

// added takes the answer to what was asked for more, on the browser's way back.
func (s *Sidecar) added(ctx context.Context, w *waiting, v url.Values) (text string) {
	ctx = context.WithoutCancel(ctx) // the code works once, whether or not the browser waits
	s.hold.turn <- struct{}{}        // nobody refreshes meanwhile; who does has answerTime
	defer func() { <-s.hold.turn }()
	if err := s.finish(ctx, w, v); err != nil {
		return "nothing was added: " + err.Error()
	}
	return "more was added: calls that were refused can be made again"
}
