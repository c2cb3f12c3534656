package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// TestOAuthClientLibrariesOfNpm: openid-client and oauth4webapi run every flow (e2e/oauth). `make oauth` installs them first.
func TestOAuthClientLibrariesOfNpm(t *testing.T) {
	if os.Getenv("E2E_NPM") == "" {
		t.Skip("make oauth runs this: it installs the libraries first")
	}
	fleets(t, func(t *testing.T, f *fleet) {
		f.in(t)
		lab := httptest.NewServer(f.lab())
		t.Cleanup(lab.Close)
		cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=spec", "--test-timeout=60000")
		cmd.Dir = "oauth"
		cmd.Env = append(os.Environ(), "OAUTH_ISSUER="+f.url, "OAUTH_LAB="+lab.URL)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		} else if !strings.Contains(string(out), "ℹ fail 0") || strings.Contains(string(out), "ℹ pass 0") {
			t.Errorf("no test ran:\n%s", out)
		}
	})
}

// lab is the owner, for suites in other languages. One request at a time: there is one browser.
func (f *fleet) lab() http.Handler {
	var one sync.Mutex
	mux := http.NewServeMux()
	handle := func(path string, answer func(asked map[string]any) any) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			one.Lock()
			defer one.Unlock()
			var asked map[string]any
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Write(mustJSON(answer(asked)))
		})
	}
	text := func(asked map[string]any, name string) string {
		s, _ := asked[name].(string)
		return s
	}
	handle("/decide", func(asked map[string]any) any {
		approval := ""
		if asked["approval"] != nil {
			approval = string(mustJSON(asked["approval"]))
		}
		return map[string]string{"callback": f.decide(text(asked, "address"), approval).String()}
	})
	handle("/device", func(asked map[string]any) any {
		f.answerDevice(text(asked, "userCode"), asked["approved"] == true)
		return true
	})
	handle("/grant", func(asked map[string]any) any {
		id := text(asked, "id")
		f.settled(id)
		var g json.RawMessage = f.owner("GET", "/grants/"+id, "").body
		return g
	})
	return mux
}
