package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// operation is one of OpenAI's routes besides chat completions, with a call that it takes.
type operation struct {
	name, path, model, capability string
	body                          func(text string) string
	typ                           string // Content-Type of the body; empty: JSON
	wrong, field                  string // a body that is refused, and the field that is named
	dearest                       int    // more cents than one call is held at
	wants                         string // in the answer
}

var operations = []operation{
	{name: "responses", path: "/v1/responses", model: "gpt-4o-mini", capability: "chat",
		body:  func(text string) string { return fmt.Sprintf(`{"model":"gpt-4o-mini","input":"%s"}`, text) },
		wrong: `{"model":"gpt-4o-mini","input":"x","previous_response_id":"resp_1"}`, field: "previous_response_id", dearest: 2, wants: `"piece-0 piece-1 piece-2 "`},
	{name: "embeddings", path: "/v1/embeddings", model: "text-embedding-3-small", capability: "embeddings",
		body: func(text string) string {
			return fmt.Sprintf(`{"model":"text-embedding-3-small","input":["%s","b"]}`, text)
		},
		wrong: `{"model":"text-embedding-3-small","input":"x","priority":1}`, field: "priority", dearest: 1, wants: `"embedding":[`},
	{name: "images", path: "/v1/images/generations", model: "gpt-image-1-mini", capability: "images",
		body: func(text string) string {
			return fmt.Sprintf(`{"model":"gpt-image-1-mini","prompt":"%s","n":2,"size":"1024x1024"}`, text)
		},
		wrong: `{"model":"gpt-image-1-mini","prompt":"x","partial_images":2}`, field: "partial_images", dearest: 12, wants: `"b64_json":"iVBOR`},
	{name: "speech", path: "/v1/audio/speech", model: "tts-1", capability: "audio",
		body: func(text string) string {
			return fmt.Sprintf(`{"model":"tts-1","voice":"alloy","input":"%s ü"}`, text)
		},
		wrong: `{"model":"tts-1","voice":"alloy","input":"x","stream_format":"sse"}`, field: "stream_format", dearest: 1, wants: "ID3\x04"},
	{name: "transcriptions", path: "/v1/audio/transcriptions", model: "gpt-4o-transcribe", capability: "audio", typ: formType,
		body:  func(text string) string { return formBody("model", "gpt-4o-transcribe", "prompt", text) },
		wrong: formBody("model", "gpt-4o-transcribe", "chunking_strategy", "auto"), field: "chunking_strategy", dearest: 12, wants: `{"text":"piece-0 piece-1 piece-2 "`},
	{name: "transcriptions by the second", path: "/v1/audio/transcriptions", model: "whisper-1", capability: "audio", typ: formType,
		body: func(text string) string {
			return formBody("model", "whisper-1", "prompt", text, "response_format", "verbose_json", "timestamp_granularities[]", "word")
		},
		wrong: formBody("model", "whisper-1", "languages", "en"), field: "languages", dearest: 1, wants: `"segments":[]`},
	{name: "translations", path: "/v1/audio/translations", model: "whisper-1", capability: "audio", typ: formType,
		body:  func(text string) string { return formBody("model", "whisper-1", "prompt", text) },
		wrong: formBody("model", "whisper-1", "language", "en"), field: "language", dearest: 1, wants: `{"text":"piece-0`},
}

// formType and formBody are a form with a second and a half of silence, and with fields.
const formType = `multipart/form-data; boundary="a b"`

func formBody(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		fmt.Fprintf(&b, "--a b\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", fields[i], fields[i+1])
	}
	b.WriteString("--a b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"my secret name.wav\"\r\nContent-Type: audio/x-wav\r\n\r\n")
	b.Write(silence(24_000))
	b.WriteString("\r\n--a b--\r\n")
	return b.String()
}

// silence is a WAV file of so many samples, 16,000 a second, of two bytes each.
func silence(samples uint32) []byte {
	word := func(n uint32) string { return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}) }
	head := "RIFF" + word(36+2*samples) + "WAVEfmt " + word(16) + "\x01\x00\x01\x00" + word(16_000) + word(32_000) + "\x02\x00\x10\x00data" + word(2*samples)
	return append([]byte(head), make([]byte, 2*samples)...)
}

func (o operation) scope(cents, calls int) string {
	return strings.Replace(scope("openai", o.model, cents, calls), `["chat"]`, fmt.Sprintf("[%q]", o.capability), 1)
}

func (o operation) header(token string) http.Header {
	h := bearer(token)
	if o.typ != "" {
		h.Set("Content-Type", o.typ)
	}
	return h
}

func (b *broker) operate(o operation, token, text string) answer {
	b.t.Helper()
	return b.send("POST", o.path, o.body(text), o.header(token))
}

// TestOperationsSettle: each route answers, is charged to the micro-dollar what the provider bills, and never less than at worst.
func TestOperationsSettle(t *testing.T) {
	b := start(t, nil)
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			for name, how := range map[string]fakeprovider.Behaviour{"usual": {}, "worst": {Worst: true}, "no usage": {NoUsage: true, Worst: true}} {
				g, before := b.give(o.scope(500, 20)), b.fake.Billed()
				b.fake.Next(how)
				a := b.operate(o, g.token, canaryPrompt)
				if a.status != 200 || !strings.Contains(string(a.body), o.wants) {
					t.Fatalf("%s: %s", name, a)
				}
				st, billed := b.settled(g.id), b.fake.Billed()-before
				if st.SettledMicroUsd < billed || !how.NoUsage && st.SettledMicroUsd != billed || billed == 0 || st.Status != "approved" {
					t.Errorf("%s: settled %d, billed %d, %s", name, st.SettledMicroUsd, billed, st.Status)
				}
				if calls := a.header.Get("AIPassport-Calls-Remaining"); calls != "19" {
					t.Errorf("%s: %s calls are left", name, calls)
				}
			}
		})
	}
	for _, w := range b.fake.Wrong() {
		t.Error(w)
	}
}

// TestOperationsAreCapped: a call whose worst case is not covered does not leave; one that is refused for its body costs nothing, and
// neither does one that the grant does not allow.
func TestOperationsAreCapped(t *testing.T) {
	b := start(t, nil)
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			sent := len(b.fake.Requests())
			none := b.give(o.scope(0, 20))
			if a := b.operate(o, none.token, "x"); a.status != 429 || a.str("error.code") != "insufficient_quota" {
				t.Errorf("without money: %s", a)
			}
			g := b.give(o.scope(o.dearest, 20))
			a := b.send("POST", o.path, o.wrong, o.header(g.token))
			if a.status != 400 || a.str("error.param") != o.field {
				t.Errorf("a bad body: %s, want %s named", a, o.field)
			}
			if a := b.send("POST", o.path+"?x=1", o.body("x"), o.header(g.token)); a.status != 400 {
				t.Errorf("a query: %s", a)
			}
			chat := b.give(scope("openai", o.model, 500, 20))
			if o.capability != "chat" {
				if a := b.operate(o, chat.token, "x"); a.status != 403 || a.str("error.code") != "capability_not_granted" {
					t.Errorf("another capability: %s", a)
				}
			}
			other := b.give(strings.Replace(o.scope(500, 20), o.model, "gpt-4o", 1))
			if a := b.operate(o, other.token, "x"); a.status != 403 || a.str("error.code") != "model_not_granted" {
				t.Errorf("another model: %s", a)
			}
			if a := b.operate(o, "", "x"); a.status != 401 {
				t.Errorf("no token: %s", a)
			}
			if n := len(b.fake.Requests()) - sent; n != 0 {
				t.Fatalf("%d refused calls went upstream", n)
			}
			if a := b.operate(o, g.token, "x"); a.status != 200 {
				t.Errorf("with %d cents: %s", o.dearest, a)
			}
		})
	}
}

// TestOperationsPassErrorsOn: the provider's own status, in OpenAI's envelope, for nothing.
func TestOperationsPassErrorsOn(t *testing.T) {
	b := start(t, nil)
	for _, o := range operations {
		g := b.give(o.scope(500, 20))
		for _, status := range []int{400, 429, 500} {
			b.fake.Next(fakeprovider.Behaviour{Status: status})
			a := b.operate(o, g.token, "x")
			if a.status != status {
				t.Errorf("%s: %d became %s", o.name, status, a)
			}
			envelope(t, native[0], a)
		}
		if st := b.settled(g.id); st.SettledMicroUsd != 0 || st.UsageCount != 3 {
			t.Errorf("%s: errors cost %d in %d calls", o.name, st.SettledMicroUsd, st.UsageCount)
		}
		b.fake.Next(fakeprovider.Behaviour{Drop: true})
		if a := b.operate(o, g.token, "x"); a.status != 502 {
			t.Errorf("%s: a dropped connection: %s", o.name, a)
		}
		if st := b.settled(g.id); st.SettledMicroUsd == 0 {
			t.Errorf("%s: a call whose outcome is unknown cost nothing", o.name)
		}
	}
}
