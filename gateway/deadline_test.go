package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// deadlines notes the last write deadline, and what is written without one.
type deadlines struct {
	*httptest.ResponseRecorder
	last time.Time
	bare string
}

func (d *deadlines) Write(p []byte) (int, error) {
	if d.last.IsZero() {
		d.bare += string(p)
	}
	return d.ResponseRecorder.Write(p)
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.last = t; return nil }

// TestWhatIsLeftHasADeadline: the server writes what is buffered when a call is over, and a client that does not read cannot
// keep it for good.
func TestWhatIsLeftHasADeadline(t *testing.T) {
	for name, c := range map[string]struct{ path, token, body string }{
		"an answer":          {"/v1/chat/completions", "Bearer x", body},
		"a stream":           {"/v1/chat/completions", "Bearer x", streamBody},
		"a refusal":          {"/v1/chat/completions", "", body},
		"the seed's refusal": {"/proxy/chat", "", "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, false)
			mux := http.NewServeMux()
			for _, rt := range d.gw.Routes() {
				mux.HandleFunc(rt.Pattern, rt.Handler)
			}
			w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			r := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
			r.Header.Set("Authorization", c.token)
			r.Header.Set("Content-Type", "application/json")
			mux.ServeHTTP(w, r)
			if w.bare != "" && strings.HasPrefix(c.path, "/v1/") {
				t.Errorf("written without a deadline: %s", w.bare)
			}
			if w.last.IsZero() {
				t.Errorf("status %d went out without a deadline", w.Code)
			}
		})
	}
}
