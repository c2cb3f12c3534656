package e2e_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// capSent is the output cap in a body that went upstream.
func capSent(t *testing.T, body []byte) int64 {
	t.Helper()
	var b struct {
		MaxTokens           *int64 `json:"max_tokens"`
		MaxCompletionTokens *int64 `json:"max_completion_tokens"`
		GenerationConfig    struct {
			MaxOutputTokens *int64 `json:"maxOutputTokens"`
		} `json:"generationConfig"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*int64{b.MaxTokens, b.MaxCompletionTokens, b.GenerationConfig.MaxOutputTokens} {
		if n != nil {
			return *n
		}
	}
	t.Fatalf("no output cap in %s", body)
	return 0
}

// TestShortMoneyLowersTheOutputCap: by the grant or by the header, in every dialect, streamed or not. The provider is sent the cap
// that the answer's headers tell, and what it bills at worst is within the money.
func TestShortMoneyLowersTheOutputCap(t *testing.T) {
	b := start(t, nil)
	b.fake.Always(fakeprovider.Behaviour{Worst: true})
	const asked = 100_000
	for _, s := range everyone {
		for _, streaming := range []bool{false, true} {
			path := s.path
			if streaming {
				path = s.streamPath
			}
			plain := s.scope(3, 100)
			clamped := strings.Replace(plain, `{`, `{"clampOutput":true,`, 1)
			send := func(scope, header string) (answer, grant) {
				g := b.give(scope)
				h := s.auth(g.token)
				if header != "" {
					h.Set("AIPassport-Clamp-Output", header)
				}
				return b.send("POST", path, s.body(s.model, "short", asked, streaming), h), g
			}
			for _, c := range []struct {
				scope, header string
				status        int
			}{
				{plain, "", 429}, {clamped, "false", 429}, {plain, "yes", 400}, {plain, "true", 200}, {clamped, "", 200},
			} {
				before := len(b.fake.Requests())
				a, g := send(c.scope, c.header)
				if a.status != c.status {
					t.Errorf("%s, stream %v, %s, header %q: got %s, want %d", s.name, streaming, c.scope, c.header, a, c.status)
					continue
				}
				if c.status == 400 && s.path != "/proxy/chat" && !strings.Contains(string(a.body), "AIPassport-Clamp-Output") {
					t.Errorf("%s: the refusal does not name the header: %s", s.name, a)
				}
				if c.status != 200 {
					continue
				}
				sent := b.fake.Requests()[before]
				given := capSent(t, sent.Body)
				if given < 256 || given >= asked || a.header.Get("AIPassport-Max-Output") != strconv.FormatInt(given, 10) || a.header.Get("AIPassport-Max-Output-Asked") != fmt.Sprint(asked) {
					t.Errorf("%s, stream %v: %d went upstream; headers %v", s.name, streaming, given, a.header)
				}
				if st := b.settled(g.id); st.SettledMicroUsd < sent.Billed() || st.SettledMicroUsd > 30_000 || st.SettledMicroUsd < 27_000 {
					t.Errorf("%s, stream %v: billed %d, settled %d of 30,000", s.name, streaming, sent.Billed(), st.SettledMicroUsd)
				}
				if again := b.send("POST", path, s.body(s.model, "short", asked, streaming), s.auth(g.token)); again.status != 429 {
					t.Errorf("%s: with less than the floor left: %s", s.name, again)
				}
			}
		}
	}
}
