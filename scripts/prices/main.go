// Command prices makes guard/meter/data/prices.json from a merged list of model prices: of many providers' rows it keeps those of
// OpenAI, Anthropic and Google, and of those whose address passport.Presets has, that the tariff has a kind for, without the members that cost nothing. A member that is neither
// known to be priced nor known to cost nothing stops it, so that no new price is lost in silence. The same list gives the same bytes, and
// its own output gives itself.
//
//	go run ./scripts/prices < merged.json > guard/meter/data/prices.json
//
// Where the list comes from is in guard/meter/data/NOTICE.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// list is the file. Rows keep their numbers as they are written.
type list struct {
	Schema   int               `json:"schema"`
	Currency string            `json:"currency"`
	AsOf     string            `json:"as_of"`
	Sources  json.RawMessage   `json:"sources"`
	Unit     string            `json:"unit"`
	Models   []json.RawMessage `json:"models"`
}

// kept are the members of a row that the tariff reads, in the order in which they are written.
var kept = []string{"provider", "model", "kind", "in", "out", "cache_read", "cache_write", "cache_write_1h", "out_reasoning", "in_audio",
	"cache_audio_read", "out_audio", "in_image", "cache_image_read", "out_image", "in_video", "out_video", "audio_hour", "in_chars", "web_search_k",
	"file_search_k", "request_k", "tiers", "alt", "later", "context", "max_out", "reasoning", "src"}

// dropped are those that say nothing of a price. in_audio_hour repeats audio_hour.
var dropped = []string{"api", "input", "match", "max_request_bytes", "deprecated", "in_audio_hour"}

var (
	providers = []string{"anthropic", "cohere", "deepseek", "google", "groq", "mistral", "openai", "together", "xai"}
	kinds     = []string{"chat", "embedding", "image", "speech", "transcription"}
	// noChat are listed as chat and take no messages.
	noChat = []string{"ada", "babbage", "curie", "davinci", "gpt-3.5-turbo-instruct", "text-davinci-002", "text-davinci-003"}
)

func main() {
	in, err := io.ReadAll(os.Stdin)
	if err == nil {
		in, err = trim(in, own...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prices:", err)
		os.Exit(1)
	}
	os.Stdout.Write(in)
}

// row is what rows are told apart and put in order by, and its text.
type row struct{ provider, model, kind, text string }

// own are rows that the list does not have, from the provider's own pages: developers.openai.com/api/docs/models/tts-1 and .../tts-1-hd,
// $15 and $30 for a million characters. One that the list has counts in their place.
var own = []string{
	`{"provider":"openai","model":"tts-1","kind":"speech","in_chars":15,"src":"own"}`,
	`{"provider":"openai","model":"tts-1-hd","kind":"speech","in_chars":30,"src":"own"}`,
}

// withdrawn are names that the list has a price for and that their provider serves another model under, which costs more, or none at all.
//   - xAI, from 15 May 2026 on, bills grok-4-fast, grok-4-1-fast and grok-4 as grok-4.3, grok-code-fast-1 as grok-build-0.1
//     (docs.x.ai/docs/models, migration; github.com/sst/models.dev pull request 1790).
//   - DeepSeek takes deepseek-chat and deepseek-reasoner no more since 24 July 2026 (api-docs.deepseek.com/quick_start/pricing).
var withdrawn = []string{"xai/grok-4-fast-", "xai/grok-4-1-fast-", "xai/grok-4-0709", "xai/grok-code-fast-1", "deepseek/deepseek-chat", "deepseek/deepseek-reasoner"}

// corrected are members that the list does not have, from the providers' own pages.
//   - deepseek-v4-flash: the list has what it costs off the peak; at the peak it is $0.30 and $1.20 (api-docs.deepseek.com/quick_start/pricing).
//     The dearer of the two counts.
//   - gemini-3.6-flash, 3.7 and 3.8: the list has what they cost until the end of 2026 (ai.google.dev/gemini-api/docs/pricing). The day
//     begins earlier in UTC than with the provider.
var corrected = map[string]map[string]string{
	"deepseek/deepseek-v4-flash": {"alt": `{"in":0.3,"out":1.2,"cache_read":0.007,"src":"own"}`},
	"google/gemini-3.6-flash":    {"later": `{"from":"2026-12-31","in":1.5,"out":7.5,"cache_read":0.15,"src":"own"}`},
	"google/gemini-3.7-flash":    {"later": `{"from":"2026-12-31","in":1.5,"out":7.5,"cache_read":0.15,"src":"own"}`},
	"google/gemini-3.8-flash":    {"later": `{"from":"2026-12-31","in":1.5,"out":7.5,"cache_read":0.15,"src":"own"}`},
}

func trim(in []byte, own ...string) ([]byte, error) {
	var l list
	if err := json.Unmarshal(in, &l); err != nil {
		return nil, err
	}
	var rows []row
	for _, raw := range l.Models {
		r, ok, err := readRow(raw)
		if err != nil {
			return nil, err
		}
		if ok {
			rows = append(rows, r)
		}
	}
	for _, raw := range own {
		r, _, err := readRow(json.RawMessage(raw))
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(rows, func(have row) bool { return have.provider == r.provider && have.model == r.model }) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return strings.Compare(a.provider+"\n"+a.model+"\n"+a.kind, b.provider+"\n"+b.model+"\n"+b.kind)
	})
	texts := make([]string, len(rows))
	for i, r := range rows {
		texts[i] = r.text
	}
	l.Unit = "USD per 1,000,000 model tokens; _k: per 1,000 of them; _hour: per hour; _chars: per 1,000,000 characters"
	l.Models = nil
	head, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	head, _ = bytes.CutSuffix(head, []byte("null}"))
	return append(head, "[\n"+strings.Join(texts, ",\n")+"\n]}\n"...), nil
}

func readRow(raw json.RawMessage) (r row, ok bool, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return row{}, false, err
	}
	for name, into := range map[string]*string{"provider": &r.provider, "model": &r.model, "kind": &r.kind} {
		if err := json.Unmarshal(members[name], into); err != nil {
			return row{}, false, fmt.Errorf("%s of %s: %w", name, raw, err)
		}
	}
	name := r.provider + "/" + r.model
	if slices.ContainsFunc(withdrawn, func(w string) bool { return strings.HasPrefix(name, w) }) {
		return row{}, false, nil
	}
	for member, text := range corrected[name] {
		members[member] = json.RawMessage(text)
	}
	if !slices.Contains(providers, r.provider) || !slices.Contains(kinds, r.kind) || slices.Contains(noChat, r.model) {
		return row{}, false, nil
	}
	var out []string
	for _, name := range kept {
		v, there := members[name]
		delete(members, name)
		if there && string(v) != "null" && string(v) != "false" {
			out = append(out, fmt.Sprintf("%q:%s", name, v))
		}
	}
	if _, paged := members["doc_kpage"]; paged { // reads documents, at a price for each page
		return row{}, false, nil
	}
	for name := range members {
		if !slices.Contains(dropped, name) {
			return row{}, false, fmt.Errorf("%s of %s: whether %q costs something is not known", r.model, r.provider, name)
		}
	}
	r.text = "{" + strings.Join(out, ",") + "}"
	return r, true, nil
}
