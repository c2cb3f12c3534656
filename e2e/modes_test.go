package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// shown is an image of 64 by 48 pixels, in base64.
const shown = "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAAAAACEICPDAAAAGklEQVR4nO3BgQAAAADDoPlTX+AIVQEAAHwDDDAAARSbMNkAAAAASUVORK5CYII="

// mode is a call that shows, plays or lets search, and what its provider bills for it at most.
type mode struct {
	name, capabilities string
	s                  speaker
	body               string
	usage              string // the most that the provider's pages let it say
	bill               int64  // what that costs at list prices, in micro-dollars
	above              string // more than that
	aboveBill          int64
}

// modes has one call for each sort of thing that is dearer than its bytes, in each dialect that has it.
func modes() []mode {
	openai, anthropic, google := native[0], native[1], native[2]
	audio := openai
	audio.model = "gpt-audio"
	clip := func(seconds int) string { // 8,000 samples a second of 8 bits: base64 of a WAV header, then silence
		return "UklGRgAAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAAA" + strings.Repeat("AAAA", seconds*8000/3)
	}
	return []mode{
		{"openai, images", `"chat"`, openai,
			`{"model":"gpt-4o-mini","max_tokens":10,"messages":[{"role":"user","content":[{"type":"text","text":"hi"},` +
				strings.Repeat(`{"type":"image_url","image_url":{"url":"data:image/png;base64,`+shown+`"}},`, 2) + `{"type":"image_url","image_url":{"url":"data:image/png;base64,` + shown + `","detail":"low"}}]}]}`,
			fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":10}`, 100+2*(2833+8*5667)+2833), ((100+2*(2833+8*5667)+2833)*15+99)/100 + 6,
			`{"prompt_tokens":1000000,"completion_tokens":10}`, 150_006},
		{"anthropic, images", `"chat"`, anthropic,
			`{"model":"claude-sonnet-4-5","max_tokens":10,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + shown + `"}}]}]}`,
			`{"input_tokens":1700,"output_tokens":10}`, 1700*3 + 150, `{"input_tokens":100000,"output_tokens":10}`, 300_150},
		{"google, images", `"chat"`, google,
			`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"` + shown + `"}}]}],"generationConfig":{"maxOutputTokens":10}}`,
			`{"promptTokenCount":2322,"candidatesTokenCount":10,"totalTokenCount":2332,"promptTokensDetails":[{"modality":"IMAGE","tokenCount":2322}]}`, 697 + 25,
			`{"promptTokenCount":100000,"candidatesTokenCount":10,"totalTokenCount":100010,"promptTokensDetails":[{"modality":"IMAGE","tokenCount":100000}]}`, 30_025},
		{"google, sound", `"chat","audio"`, google,
			`{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"` + clip(3) + `"}}]}],"generationConfig":{"maxOutputTokens":10}}`,
			`{"promptTokenCount":96,"candidatesTokenCount":10,"totalTokenCount":106,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":96}]}`, 96 + 25,
			`{"promptTokenCount":9600,"candidatesTokenCount":10,"totalTokenCount":9610,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":9600}]}`, 9_625},
		{"openai, sound in and out", `"chat","audio"`, audio,
			`{"model":"gpt-audio","max_tokens":10,"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"},"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"` + clip(3) + `","format":"wav"}}]}]}`,
			`{"prompt_tokens":35,"completion_tokens":10,"prompt_tokens_details":{"audio_tokens":30},"completion_tokens_details":{"audio_tokens":10}}`, 13 + 960 + 640,
			`{"prompt_tokens":3005,"completion_tokens":10,"prompt_tokens_details":{"audio_tokens":3000},"completion_tokens_details":{"audio_tokens":10}}`, 13 + 96_000 + 640},
		{"anthropic, search", `"chat","search"`, anthropic,
			`{"model":"claude-sonnet-4-5","max_tokens":10,"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"web_search_20250305","name":"web_search"}]}`,
			`{"input_tokens":2200000,"output_tokens":110,"server_tool_use":{"web_search_requests":5}}`, 6_600_000 + 1_650 + 50_000,
			`{"input_tokens":2200000,"output_tokens":110,"server_tool_use":{"web_search_requests":10000}}`, 6_600_000 + 1_650 + 100_000_000},
	}
}

func (m mode) scope(cents int) string {
	return fmt.Sprintf(`{"provider":%q,"models":[%q],"capabilities":[%s],"maxBudgetCents":%d,"maxRequests":1000,"rateLimit":1000000}`, m.s.provider, m.s.model, m.capabilities, cents)
}

// TestThreat04WhatIsShownPlayedAndSearchedIsHeld: a provider that bills the most that it can is within the hold, again and again, until
// the money is gone, and the cap is never passed.
func TestThreat04WhatIsShownPlayedAndSearchedIsHeld(t *testing.T) {
	b := start(t, nil)
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			cents := int(m.bill*5/10_000) + 30
			g := b.give(m.scope(cents))
			b.fake.Always(fakeprovider.Behaviour{RawUsage: m.usage})
			calls, status := int64(0), 200
			for status == 200 && (calls < 20 || m.bill > 1000) && calls < 1000 {
				if status = b.send("POST", m.s.path, m.body, m.s.auth(g.token)).status; status == 200 {
					calls++
				}
			}
			st := b.settled(g.id)
			if calls < 4 || status != 200 && status != 429 || st.Status != "approved" || st.SettledMicroUsd != calls*m.bill || st.SettledMicroUsd > int64(cents)*10_000 {
				t.Errorf("after %d calls at %d, the last %d: %+v, of %d cents", calls, m.bill, status, st, cents)
			}
			if sent := string(b.fake.Requests()[len(b.fake.Requests())-1].Body); strings.Contains(m.body, "web_search") && !strings.Contains(sent, `{"max_uses":5,"type":"web_search_20250305"`) {
				t.Errorf("the provider was not told how often it may search: %s", sent)
			}
		})
	}
}

// TestABillAboveItsHoldIsRecordedAndFreezes, for each sort of thing.
func TestABillAboveItsHoldIsRecordedAndFreezes(t *testing.T) {
	b := start(t, nil)
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			g := b.give(m.scope(100_000))
			b.fake.Always(fakeprovider.Behaviour{RawUsage: m.above})
			if a := b.send("POST", m.s.path, m.body, m.s.auth(g.token)); a.status != 200 {
				t.Fatalf("%.300s", a)
			}
			if st := b.settled(g.id); st.Status != "paused" || st.SettledMicroUsd != m.aboveBill {
				t.Errorf("%+v, want it paused with %d", st, m.aboveBill)
			}
			if a := b.send("POST", m.s.path, m.body, m.s.auth(g.token)); a.status != 403 {
				t.Errorf("it goes on: %.300s", a)
			}
			if !strings.Contains(b.log.tail(1<<20), "a provider billed above the worst case of a call") {
				t.Error("the log does not tell")
			}
		})
	}
}
