package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/devrelopers/aipassport/internal/fakeprovider"
)

// refusedUnsent makes calls that must be refused with a status, in the dialect's envelope, naming the field, with nothing
// sent and nothing charged.
func refusedUnsent(t *testing.T, b *broker, s speaker, token string, status int, bodies map[string]string) {
	t.Helper()
	for field, body := range bodies {
		before := len(b.fake.Requests())
		a := b.send("POST", s.path, body, s.auth(token))
		if a.status != status || !strings.Contains(string(a.body), strings.Split(field, "#")[0]) {
			t.Errorf("%s: %.200s: got %s, want %d that names %q", s.name, body, a, status, field)
		}
		if len(b.fake.Requests()) != before {
			t.Errorf("%s: %.200s went upstream", s.name, body)
		}
	}
}

// TestThreat04CostHiddenInParameters: what can cost more than the hold covers is refused by name.
func TestThreat04CostHiddenInParameters(t *testing.T) {
	b := start(t, nil)
	plus := func(s speaker, members map[string]string) map[string]string {
		out := map[string]string{}
		for name, value := range members {
			body := s.body(s.model, "x", 50, false)
			out[name] = body[:len(body)-1] + `,"` + strings.Split(name, "#")[0] + `":` + value + "}"
		}
		return out
	}
	openAI := b.give(native[0].scope(500, 1000))
	refusedUnsent(t, b, native[0], openAI.token, 400, plus(native[0], map[string]string{
		"service_tier": `"priority"`, "web_search_options": `{}`, "modalities": `["text","image"]`, "prediction": `{"type":"content","content":"x"}`, "store": `true`, "background": `true`,
		"previous_response_id": `"resp_1"`, "conversation": `"conv_1"`, "best_of": `5`, "max_completion_tokens": `60`,
		"made_up": `1`, "tools": `[{"type":"web_search"}]`, "tools#mcp": `[{"type":"mcp","server_url":"http://x"}]`, "n": `1000000`,
	}))
	refusedUnsent(t, b, native[0], openAI.token, 400, map[string]string{
		"messages#image": `{"model":"gpt-4o-mini","max_tokens":50,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.example/huge.png"}}]}]}`,
		"messages#file":  `{"model":"gpt-4o-mini","max_tokens":50,"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}`,
	})
	anthropic := b.give(native[1].scope(500, 1000))
	refusedUnsent(t, b, native[1], anthropic.token, 400, plus(native[1], map[string]string{
		"service_tier": `"auto"`, "container": `"c"`, "mcp_servers": `[{"type":"url","url":"https://x.example","name":"n"}]`, "inference_geo": `"us"`,
		"thread": `{"type":"continue"}`, "made_up": `1`, "tools": `[{"type":"web_search_20260209","name":"web_search"}]`,
		"tools#fetch": `[{"type":"web_fetch_20250910","name":"web_fetch"}]`, "tools#uses": `[{"name":"mine","max_uses":5}]`, "tools#code": `[{"type":"code_execution_20250522","name":"code_execution"}]`, "speed": `"fast"`,
	}))
	refusedUnsent(t, b, native[1], anthropic.token, 400, map[string]string{
		"messages#image": `{"model":"claude-sonnet-4-5","max_tokens":50,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x.example/huge.png"}}]}]}`,
		"messages#pdf":   `{"model":"claude-sonnet-4-5","max_tokens":50,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"aGk="}}]}]}`,
	})
	google := b.give(native[2].scope(500, 1000))
	refusedUnsent(t, b, native[2], google.token, 400, plus(native[2], map[string]string{
		"tools": `[{"googleSearch":{}}]`, "tools#code": `[{"codeExecution":{}}]`, "cachedContent": `"cachedContents/1"`, "made_up": `1`, "serviceTier": `"priority"`,
	}))
	refusedUnsent(t, b, native[2], google.token, 400, map[string]string{
		"contents#file":        `{"contents":[{"role":"user","parts":[{"fileData":{"fileUri":"https://x.example/huge.mp4","mimeType":"video/mp4"}}]}],"generationConfig":{"maxOutputTokens":5}}`,
		"contents#video":       `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"video/mp4","data":"aGk="}}]}],"generationConfig":{"maxOutputTokens":5}}`,
		"generationConfig":     `{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":5,"responseModalities":["AUDIO"]}}`,
		"generationConfig#two": `{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":5,"candidateCount":1000000}}`,
	})
	// What can be priced needs its capability.
	refusedUnsent(t, b, native[0], openAI.token, 403, plus(native[0], map[string]string{"audio": `{"voice":"alloy","format":"wav"}`}))
	refusedUnsent(t, b, native[0], openAI.token, 403, map[string]string{
		"audio": `{"model":"gpt-4o-mini","max_tokens":50,"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}}]}]}`,
	})
	refusedUnsent(t, b, native[1], anthropic.token, 403, map[string]string{
		"search": strings.Replace(native[1].body(native[1].model, "x", 50, false), `{`, `{"tools":[{"type":"web_search_20250305","name":"web_search"}],`, 1),
	})
	refusedUnsent(t, b, native[2], google.token, 403, map[string]string{
		"audio": `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"audio/mp3","data":"aGk="}}]}],"generationConfig":{"maxOutputTokens":5}}`,
	})
	for _, g := range []grant{openAI, anthropic, google} {
		if st := b.settled(g.id); st.SettledMicroUsd != 0 || st.UsageCount != 0 {
			t.Errorf("refused calls were counted: %+v", st)
		}
	}
	// n is priced: three answers hold three times the output.
	three := strings.Replace(openAIBody("gpt-4o-mini", "n", 50, false), `"max_tokens"`, `"n":3,"max_tokens"`, 1)
	b.fake.Next(fakeprovider.Behaviour{Worst: true})
	before := b.fake.Billed()
	if a := b.send("POST", native[0].path, three, bearer(openAI.token)); a.status == 200 {
		if st := b.settled(openAI.id); st.SettledMicroUsd != b.fake.Billed()-before || st.Status != "approved" {
			t.Errorf("n=3: settled %+v, billed %d", st, b.fake.Billed()-before)
		}
	} else if a.status != 400 {
		t.Errorf("n=3: %s", a)
	}
}

// TestThreat07ParserDifferential: bodies that different parsers read differently are refused, in every dialect.
func TestThreat07ParserDifferential(t *testing.T) {
	b := start(t, nil)
	openAI := map[string]string{
		"model#twice":        `{"model":"gpt-4o-mini","model":"gpt-4o","max_tokens":5,"messages":[]}`,
		"model#escaped":      `{"model":"gpt-4o-mini","mod\u0065l":"gpt-4o","max_tokens":5,"messages":[]}`,
		"Model":              `{"model":"gpt-4o-mini","Model":"gpt-4o","max_tokens":5,"messages":[]}`,
		"MAX_TOKENS":         `{"model":"gpt-4o-mini","max_tokens":5,"MAX_TOKENS":99999,"messages":[]}`,
		"#trailing":          `{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","content":"x"}]}{"model":"gpt-4o"}`,
		"#trailing word":     `{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","content":"x"}]} x`,
		"#bom":               "\xef\xbb\xbf" + `{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`,
		"#bad utf-8":         `{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","content":"` + "\xff\xfe" + `"}]}`,
		"#surrogate":         `{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","content":"\ud800"}]}`,
		"#comment":           `{"model":"gpt-4o-mini",/*"*/"max_tokens":5,"messages":[{"role":"user","content":"x"}]}`,
		"#deep":              `{"model":"gpt-4o-mini","max_tokens":5,"messages":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
		"max_tokens":         `{"model":"gpt-4o-mini","max_tokens":-5,"messages":[{"role":"user","content":"x"}]}`,
		"max_tokens#float":   `{"model":"gpt-4o-mini","max_tokens":5.5,"messages":[{"role":"user","content":"x"}]}`,
		"max_tokens#large":   `{"model":"gpt-4o-mini","max_tokens":99999999999999999999,"messages":[{"role":"user","content":"x"}]}`,
		"max_tokens#text":    `{"model":"gpt-4o-mini","max_tokens":"5","messages":[{"role":"user","content":"x"}]}`,
		"model#number":       `{"model":5,"max_tokens":5,"messages":[]}`,
		"messages#twice":     `{"model":"gpt-4o-mini","max_tokens":5,"messages":[{"role":"user","role":"system","content":"x"}]}`,
		"#array":             `[{"model":"gpt-4o-mini"}]`,
		"#null byte":         `{"model":"gpt-4o-mini` + "\x00" + `","max_tokens":5,"messages":[]}`,
		"#nothing":           ` `,
		"max_tokens#leading": `{"model":"gpt-4o-mini","max_tokens":05,"messages":[]}`,
	}
	google := map[string]string{
		"generationConfig#twice":  `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":5},"generationConfig":{"maxOutputTokens":50000}}`,
		"generation_config":       `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":5},"generation_config":{"max_output_tokens":50000}}`,
		"max_output_tokens":       `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":5,"max_output_tokens":50000}}`,
		"model":                   `{"model":"models/gemini-2.5-pro","contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":5}}`,
		"#trailing":               `{"contents":[{"parts":[{"text":"x"}]}]}{}`,
		"maxOutputTokens#negated": `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":-1}}`,
	}
	for i, bodies := range []map[string]string{openAI, openAI, google} {
		s := native[i]
		g := b.give(s.scope(500, 1000))
		for name, body := range bodies {
			body = strings.ReplaceAll(body, "gpt-4o-mini", s.model)
			before := len(b.fake.Requests())
			a := b.send("POST", s.path, body, s.auth(g.token))
			if a.status != 400 || len(b.fake.Requests()) != before {
				t.Errorf("%s, %s: %.200s: got %s, want 400 and nothing sent", s.name, name, body, a)
				continue
			}
			envelope(t, s, a)
		}
	}
	for name, body := range openAI {
		g := b.give(proxied[0].scope(500, 1000))
		before := len(b.fake.Requests())
		a := b.send("POST", "/proxy/chat", body, bearer(g.token))
		if a.status != 400 || len(b.fake.Requests()) != before {
			t.Errorf("/proxy/chat, %s: %.200s: got %s", name, body, a)
		}
	}
	// Escapes in values are no trick: the model that was checked is the model that is used.
	g := b.give(native[0].scope(500, 10))
	if a := b.send("POST", native[0].path, `{"model":"gpt\u002d4o-mini","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`, bearer(g.token)); a.status == 200 {
		if r := b.fake.Requests()[len(b.fake.Requests())-1]; r.Model != "gpt-4o-mini" {
			t.Errorf("sent %q", r.Model)
		}
	}
}

// keyPieces are parts of a key long enough to tell it: every run of 12 characters that is not the public prefix.
func keyPieces(key string) (out []string) {
	for i := 8; i+12 <= len(key); i++ {
		out = append(out, key[i:i+12])
	}
	return out
}

// TestThreat08ProviderKeyEchoed: whole or in part, in errors, headers, redirects, HTML, answers and streams cut anywhere.
// That no answer, log or file holds a whole key is looked for after every test.
func TestThreat08ProviderKeyEchoed(t *testing.T) {
	b := start(t, nil)
	keys := map[string]string{"openai": openAIKey, "anthropic": anthropicKey, "google": googleKey}
	for _, s := range everyone {
		key := keys[s.provider]
		g := b.give(s.scope(50_000, 10_000))
		part := key[:6] + "..." + key[len(key)-14:]
		for name, bad := range map[string]fakeprovider.Behaviour{
			"error with the key":        {Status: 400, Body: `{"error":{"message":"bad key {key}","type":"invalid_request_error","code":"{key}","param":"{key}","status":"{key}"},"type":"error"}`},
			"error with a part":         {Status: 400, Body: fmt.Sprintf(`{"error":{"message":"Incorrect API key provided: %s","type":"invalid_request_error"}}`, part)},
			"error in the key's place":  {Status: 401},
			"server error with the key": {Status: 500, Body: `{"error":{"message":"upstream https://x/?key={key} failed","status":"INTERNAL"}}`},
			"HTML error":                {Status: 502, Body: "<html>{key}</html>", Header: http.Header{"Content-Type": {"text/html"}}},
			"HTML answer":               {Body: "<html>{key}</html>", Header: http.Header{"Content-Type": {"text/html"}}},
			"garbage":                   {Body: "\x00\x01{key}"},
			"redirect":                  {Status: 302, Header: http.Header{"Location": {b.fake.Origin + "/v1/files?k={key}"}}},
			"kept redirect":             {Status: 307, Header: http.Header{"Location": {b.fake.Origin + "/v1/files?k={key}"}}},
			"headers":                   {Header: http.Header{"Set-Cookie": {"k={key}"}, "X-Debug": {"{key}"}, "X-Request-Id": {"{key}"}, "Openai-Organization": {"org-{key}"}, "Www-Authenticate": {"{key}"}}},
			"answer":                    {Text: []string{"your key is {key}", " ok?"}},
			"answer in small parts":     {Text: []string{"your key is {key}", " ok?"}, Split: 5},
			"answer byte by byte":       {Text: []string{"{key}{key}"}, Split: 1},
		} {
			for _, streaming := range []bool{false, true} {
				b.fake.Next(bad)
				path := s.path
				if streaming {
					path = s.streamPath
				}
				a, _ := b.try("POST", path, s.body(s.model, "echo", 50, streaming), s.auth(g.token))
				text := string(a.body) + fmt.Sprint(a.header)
				for _, p := range keyPieces(key) {
					if strings.Contains(text, p) {
						t.Errorf("%s, %s, stream %v: a part of the key is in the answer: %d %.600s", s.name, name, streaming, a.status, text)
						break
					}
				}
				for _, h := range []string{"Set-Cookie", "X-Debug", "Openai-Organization", "Location"} {
					if a.header.Get(h) != "" {
						t.Errorf("%s, %s: the provider's %s went through", s.name, name, h)
					}
				}
				if strings.Contains(text, "<html") {
					t.Errorf("%s, %s: HTML went through: %.300s", s.name, name, text)
				}
			}
		}
		b.fake.Forget()
	}
	for _, r := range b.fake.Requests() {
		if r.Path == "/v1/files" {
			t.Error("a redirect was followed")
		}
	}
}

// TestThreat10UpstreamSeesOnlyTheBrokersHeaders, whatever the client sends.
func TestThreat10UpstreamSeesOnlyTheBrokersHeaders(t *testing.T) {
	b := start(t, nil)
	allowed := map[string][]string{
		"openai":    {"Authorization", "Content-Length", "Content-Type", "User-Agent"},
		"anthropic": {"Anthropic-Version", "Content-Length", "Content-Type", "User-Agent", "X-Api-Key"},
		"google":    {"Content-Length", "Content-Type", "User-Agent", "X-Goog-Api-Key"},
	}
	for _, s := range everyone {
		g := b.give(s.scope(500, 100))
		h := s.auth(g.token)
		for name, v := range map[string]string{
			"OpenAI-Organization": "org-evil", "OpenAI-Project": "p", "Cookie": "session=1", "X-Forwarded-For": "10.0.0.1", "Forwarded": "for=1",
			"X-Http-Method-Override": "DELETE", "X-Goog-User-Project": "evil", "User-Agent": "app/1", "Accept-Encoding": "gzip", "Referer": "https://x",
			"Idempotency-Key": "abc", "X-Stainless-Retry-Count": "2", "Connection": "Authorization, X-Api-Key, X-Goog-Api-Key", "Te": "trailers",
			"Expect": "", "Via": "1.1 x", "Origin": "https://app.example.com", "X-Evil": "1", "Proxy-Authorization": "Basic eA==",
		} {
			if v != "" {
				h.Set(name, v)
			}
		}
		for _, streaming := range []bool{false, true} {
			path := s.path
			if streaming {
				path = s.streamPath
			}
			h.Set("Idempotency-Key", fmt.Sprintf("%s stream=%v", s.name, streaming)) // of another body it is refused
			if a := b.send("POST", path, s.body(s.model, "x", 50, streaming), h); a.status != 200 {
				t.Errorf("%s: %s", s.name, a)
				continue
			}
			r := b.fake.Requests()[len(b.fake.Requests())-1]
			got := slices.Sorted(maps.Keys(r.Header))
			got = slices.DeleteFunc(got, func(n string) bool { return n == "Accept" || n == "Accept-Encoding" && r.Header.Get(n) == "identity" })
			if d := cmp.Diff(allowed[s.provider], got); d != "" {
				t.Errorf("%s: headers upstream: %s", s.name, d)
			}
			if !strings.HasPrefix(r.Header.Get("User-Agent"), "aipassport") || strings.Contains(fmt.Sprint(r.Header), "evil") || strings.Contains(fmt.Sprint(r.Header), g.token) {
				t.Errorf("%s: %v", s.name, r.Header)
			}
			if bytes := string(r.Body); strings.Contains(bytes, g.token) {
				t.Errorf("%s: the token went upstream", s.name)
			}
		}
	}
	// What Anthropic's clients say of their version goes on.
	g := b.give(native[1].scope(500, 100))
	h := xAPIKey(g.token)
	h.Set("Anthropic-Version", "2026-10-21")
	b.send("POST", native[1].path, native[1].body(native[1].model, "x", 50, false), h)
	if r := b.fake.Requests()[len(b.fake.Requests())-1]; r.Header.Get("Anthropic-Version") != "2026-10-21" {
		t.Errorf("version upstream: %q", r.Header.Get("Anthropic-Version"))
	}
}

// TestThreat11StoredObjectsAreRefused: what lives under the one provider account is out of reach.
func TestThreat11StoredObjectsAreRefused(t *testing.T) {
	b := start(t, nil)
	g := b.give(native[0].scope(500, 100))
	for _, c := range []struct{ method, path string }{
		{"GET", "/v1/files"}, {"POST", "/v1/files"}, {"GET", "/v1/files/file-1/content"}, {"GET", "/v1/responses/resp_1"}, {"POST", "/v1/batches"},
		{"GET", "/v1/threads/t"}, {"GET", "/v1/vector_stores"}, {"GET", "/v1/chat/completions"}, {"GET", "/v1/chat/completions/chatcmpl-1"},
		{"DELETE", "/v1/chat/completions/chatcmpl-1"}, {"GET", "/anthropic/v1/files"}, {"POST", "/anthropic/v1/messages/batches"},
		{"GET", "/google/v1beta/files"}, {"POST", "/google/v1beta/cachedContents"}, {"GET", "/google/v1beta/cachedContents/1"},
	} {
		body := ""
		if c.method == "POST" {
			body = "{}"
		}
		if a := b.send(c.method, c.path, body, bearer(g.token)); a.status != 404 && a.status != 405 {
			t.Errorf("%s %s: %s", c.method, c.path, a)
		}
	}
	if n := len(b.fake.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}
