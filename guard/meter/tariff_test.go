package meter_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/passport"
)

func TestBuiltInPrices(t *testing.T) {
	tf := tariff(t)
	p, ok := tf.Price(passport.Anthropic, "claude-sonnet-4-5")
	if want := (meter.ModelPrice{Provider: passport.Anthropic, Model: "claude-sonnet-4-5", Input: 3_000_000, CacheRead: 300_000, CacheWrite: 3_750_000,
		CacheWrite1h: 6_000_000, Output: 15_000_000, Context: 200_000, MaxOutput: 64_000, Kind: passport.KindChat, Search: 10_000_000_000,
		Reasoning: true}); !ok || !equal(p, want) {
		t.Errorf("got %+v, want %+v", p, want)
	}
	for _, provider := range passport.Providers {
		models := tf.Models(provider, passport.KindChat)
		if len(models) < 20 {
			t.Errorf("%s: only %d models", provider, len(models))
		}
		if !slices.IsSortedFunc(models, func(a, b meter.ModelPrice) int { return strings.Compare(a.Model, b.Model) }) {
			t.Errorf("%s: not sorted", provider)
		}
		for _, m := range models {
			if got, ok := tf.Price(provider, m.Model); !ok || !equal(got, m) {
				t.Errorf("%s is listed and has not its price", m.Model)
			}
			if m.Input < 1 || m.Output < 1 || m.CacheRead < 1 || m.CacheWrite < m.Input || m.CacheWrite1h < m.CacheWrite || m.Kind != passport.KindChat {
				t.Errorf("%+v cannot be", m)
			}
		}
	}
	if v := tf.Version(); !strings.HasPrefix(v, "2026-11-23+") || len(v) != len("2026-11-23+")+8 {
		t.Errorf("version is %q", v)
	}
}

func equal(a, b meter.ModelPrice) bool {
	sameTiers := slices.Equal(a.Tiers, b.Tiers)
	a.Tiers, b.Tiers = nil, nil
	ja, _ := json.Marshal(a)
	jb, _ := json.Marshal(b)
	return sameTiers && string(ja) == string(jb)
}

func TestNames(t *testing.T) {
	tf := tariff(t)
	for _, tt := range []struct {
		provider passport.Provider
		model    string
		input    passport.Price // 0: no price
	}{
		{passport.OpenAI, "gpt-4o", 2_500_000},
		{passport.OpenAI, "gpt-4o-2024-08-06", 2_500_000},
		{passport.OpenAI, "gpt-4o-2024-05-13", 5_000_000}, // a price of its own wins
		{passport.OpenAI, "gpt-4o-2029-01-01", 2_500_000}, // a snapshot that is not listed
		{passport.Anthropic, "claude-opus-4-1-20250805", 15_000_000},
		{passport.Anthropic, "claude-sonnet-4-20250514", 3_000_000}, // priced as claude-sonnet-4-0
		{passport.Anthropic, "claude-opus-4-20250514", 15_000_000},
		{passport.Anthropic, "claude-3-5-haiku-20241022", 800_000}, // priced as claude-3-5-haiku-latest
		{passport.OpenAI, "gpt-4o-20290101", 2_500_000},
		{passport.OpenAI, "gpt-4o-2029-13-01", 0}, // no date
		{passport.OpenAI, "gpt-4o-29990199", 0},
		{passport.OpenAI, "gpt-4o-2029-01-01-2029-01-01", 0},
		{passport.OpenAI, "-2029-01-01", 0},
		{passport.OpenAI, "", 0},
		{passport.OpenAI, "gpt-4o-new", 0},
		{passport.OpenAI, "GPT-4o", 0},
		{passport.OpenAI, " gpt-4o", 0},
		{passport.Anthropic, "gpt-4o", 0}, // another provider's
		{"", "gpt-4o", 0},
		{passport.Google, "gemma-4-31b-it", 0}, // listed with 0, which is unknown
		{passport.OpenAI, "whisper-1", 0},      // no chat
		{passport.OpenAI, "text-embedding-3-small", 0},
		{passport.OpenAI, "gpt-image-1", 0},
		{passport.OpenAI, "gpt-audio", 2_500_000},
		{passport.OpenAI, "gpt-4o-audio-preview", 0}, // the list has no price for its sound
		{passport.OpenAI, "gpt-realtime", 0},
		{passport.Google, "gemini-live-2.5-flash", 0},
		{passport.OpenAI, "gpt-4o-search-preview", 0}, // pays for searches
		{passport.OpenAI, "o3-deep-research", 0},
		{passport.Google, "gemini-omni-flash-preview", 0}, // pictures have another price
		{passport.Google, "claude-sonnet-4-6", 0},         // another seller's
		{passport.OpenAI, "gpt-oss-120b", 0},
		{passport.OpenAI, "gpt-6-luna", 100_000}, // there is a classifier of that name too
	} {
		p, ok := tf.Price(tt.provider, tt.model)
		if p.Kind != passport.KindChat {
			p, ok = meter.ModelPrice{}, false
		}
		if ok != (tt.input > 0) || p.Input != tt.input {
			t.Errorf("%s %q: %d, %v, want %d", tt.provider, tt.model, p.Input, ok, tt.input)
		}
	}
}

// One of each kind, with every sort of price that the list has.
func TestPricesOfAllKinds(t *testing.T) {
	tf := tariff(t)
	const dollar = 1_000_000
	for _, want := range []meter.ModelPrice{
		{Provider: passport.OpenAI, Model: "gpt-audio", Kind: passport.KindChat, Input: 2.5 * dollar, Output: 10 * dollar, InputAudio: 32 * dollar,
			OutputAudio: 64 * dollar, Context: 128_000},
		{Provider: passport.OpenAI, Model: "gpt-image-1.5", Kind: passport.KindImage, Input: 5 * dollar, CacheRead: 1.25 * dollar, Output: 10 * dollar,
			InputImage: 8 * dollar, CacheImage: 2 * dollar, OutputImage: 32 * dollar},
		{Provider: passport.OpenAI, Model: "gpt-image-1", Kind: passport.KindImage, Input: 5 * dollar, CacheRead: 1.25 * dollar, Output: 40 * dollar,
			InputImage: 10 * dollar, CacheImage: 2.5 * dollar, OutputImage: 40 * dollar}, // its output is images
		{Provider: passport.OpenAI, Model: "text-embedding-3-small", Kind: passport.KindEmbedding, Input: 20_000, Context: 8192},
		{Provider: passport.OpenAI, Model: "tts-1", Kind: passport.KindSpeech, Character: 15 * dollar},
		{Provider: passport.OpenAI, Model: "whisper-1", Kind: passport.KindTranscription, AudioSecond: 100 * dollar}, // $0.36 an hour
		{Provider: passport.OpenAI, Model: "gpt-4o-transcribe", Kind: passport.KindTranscription, Input: 2.5 * dollar, Output: 10 * dollar,
			InputAudio: 6 * dollar, Context: 16_000},
		{Provider: passport.Google, Model: "gemini-2.5-flash-tts", Kind: passport.KindSpeech, Input: 500_000, Output: 10 * dollar,
			OutputAudio: 10 * dollar, Context: 8192},
		{Provider: passport.Google, Model: "gemini-2.5-flash", Kind: passport.KindChat, Input: 300_000, CacheRead: 30_000, Output: 2.5 * dollar,
			InputAudio: dollar, CacheAudio: 100_000, Context: 1_048_576, MaxOutput: 65_536, Reasoning: true},
		{Provider: passport.Google, Model: "gemini-3.5-flash", Kind: passport.KindChat, Input: 1.5 * dollar, CacheRead: 150_000, Output: 9 * dollar,
			InputAudio: 1.5 * dollar, CacheAudio: 150_000, Context: 1_048_576, MaxOutput: 65_536, Reasoning: true}, // sound costs what text does
		{Provider: passport.OpenAI, Model: "gpt-4.1-mini", Kind: passport.KindChat, Input: 400_000, CacheRead: 100_000, Output: 1.6 * dollar,
			Search: 10_000 * dollar, FileSearch: 2_500 * dollar, Context: 1_047_576, MaxOutput: 32_768},
	} {
		want, ok := tf.With(want).Price(want.Provider, want.Model) // fills the caches as the list's are
		got, listed := tf.Price(want.Provider, want.Model)
		if !ok || !listed || !equal(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	for kind, most := range map[passport.Kind]int{passport.KindEmbedding: 5, passport.KindImage: 11, passport.KindTranscription: 4, passport.KindSpeech: 6} {
		n := 0
		for _, p := range passport.Providers {
			n += len(tf.Models(p, kind))
		}
		if n != most {
			t.Errorf("%d models for %s, want %d", n, kind, most)
		}
	}
	if p, _ := tf.Price(passport.Google, "gemini-4-argon"); p.InputAudio != 0 {
		t.Errorf("the list does not say what sound costs with %s, and it costs %d", p.Model, p.InputAudio)
	}
}

// The list gives 272,000 as the context of gpt-5.4, and a price for what is above it: it is no ceiling.
func TestContextBelowATierIsNoCeiling(t *testing.T) {
	p := priceOf(t, passport.OpenAI, "gpt-5.4")
	if p.Context != 0 {
		t.Errorf("context is %d, want unknown", p.Context)
	}
	c := passport.Call{Kind: passport.KindChat, BodyBytes: 1_000_000, Parts: 1, Choices: 1}
	u := passport.Usage{Known: true, Input: 1_000_000, Output: 1000}
	if worst, cost := p.WorstCase(c, 1000), p.Cost(u); worst < cost {
		t.Errorf("worst case %s, and %s can be billed", worst, cost)
	}
	if p := priceOf(t, passport.Anthropic, "claude-haiku-5-5"); p.Context != 1_000_000 || len(p.Tiers) != 1 {
		t.Errorf("%+v: want a window above the tier", p)
	}
}

func TestWith(t *testing.T) {
	tf := tariff(t)
	free := tf.With(meter.ModelPrice{Provider: passport.OpenAI, Model: "sandbox"})
	p, ok := free.Price(passport.OpenAI, "sandbox")
	if !ok || p.Kind != passport.KindChat || p.WorstCase(passport.Call{BodyBytes: 1 << 20, Choices: 1}, 1<<20) != 0 {
		t.Errorf("a model that was set to cost nothing: %+v, %v", p, ok)
	}
	if _, ok := tf.Price(passport.OpenAI, "sandbox"); ok {
		t.Error("the tariff itself has changed")
	}
	dear := free.With(meter.ModelPrice{Provider: passport.OpenAI, Model: "gpt-4o", Input: 10_000_001, Output: 1})
	p, _ = dear.Price(passport.OpenAI, "gpt-4o")
	if p.Input != 10_000_001 || p.CacheRead != 10_000_001 || p.CacheWrite != 12_500_002 || p.CacheWrite1h != 12_500_002 {
		t.Errorf("replaced: %+v", p)
	}
	if p := priceOf(t, passport.OpenAI, "gpt-4o"); p.Input != 2_500_000 {
		t.Errorf("the tariff itself has changed: %+v", p)
	}
	hour := tf.With(meter.ModelPrice{Provider: passport.Anthropic, Model: "x", Input: 10, Output: 1})
	if p, _ := hour.Price(passport.Anthropic, "x"); p.CacheWrite != 13 || p.CacheWrite1h != 20 {
		t.Errorf("Anthropic's cache writes: %+v", p)
	}
	seen := map[string]bool{}
	for _, v := range []*meter.Tariff{tf, free, dear, hour} {
		if seen[v.Version()] {
			t.Errorf("version %s stands for two tariffs", v.Version())
		}
		seen[v.Version()] = true
		if !strings.HasPrefix(v.Version(), "2026-11-23+") || strings.Count(v.Version(), "+") != 1 {
			t.Errorf("version is %q", v.Version())
		}
	}
}

func TestWithTakesTheTiersForItself(t *testing.T) {
	mine := []meter.Tier{{Above: 10, Input: 5, Output: 5}}
	tf := tariff(t).With(meter.ModelPrice{Provider: passport.OpenAI, Model: "x", Input: 1, Output: 1, Tiers: mine})
	mine[0].Input = 0
	if p, _ := tf.Price(passport.OpenAI, "x"); len(p.Tiers) != 1 || p.Tiers[0].Input != 5 || p.Tiers[0].CacheWrite != 7 {
		t.Errorf("got %+v", p.Tiers)
	}
}

func TestAPriceThatCannotBeIsNone(t *testing.T) {
	for name, change := range map[string]func(*meter.ModelPrice){
		"negative input":     func(p *meter.ModelPrice) { p.Input = -1 },
		"negative output":    func(p *meter.ModelPrice) { p.Output = -1 },
		"negative cache":     func(p *meter.ModelPrice) { p.CacheRead = -1 },
		"absurd":             func(p *meter.ModelPrice) { p.Output = 1<<63 - 1 },
		"absurd input":       func(p *meter.ModelPrice) { p.Input = 1<<63 - 1 },
		"negative window":    func(p *meter.ModelPrice) { p.Context = -1 },
		"negative maximum":   func(p *meter.ModelPrice) { p.MaxOutput = -1 },
		"a tier of nothing":  func(p *meter.ModelPrice) { p.Tiers = []meter.Tier{{Above: 0, Input: 1, Output: 1}} },
		"tiers out of order": func(p *meter.ModelPrice) { p.Tiers = []meter.Tier{{Above: 2, Input: 1}, {Above: 1, Input: 1}} },
		"negative tier":      func(p *meter.ModelPrice) { p.Tiers = []meter.Tier{{Above: 2, Input: -5}} },
	} {
		p := meter.ModelPrice{Provider: passport.OpenAI, Model: "gpt-4o", Input: 1, Output: 1}
		change(&p)
		if got, ok := tariff(t).With(p).Price(passport.OpenAI, "gpt-4o"); ok {
			t.Errorf("%s: %+v, want no price", name, got)
		}
	}
}

const fileHead = `{"schema":1,"currency":"USD","as_of":"2026-01-02","models":[`

func TestReadingPrices(t *testing.T) {
	tf, err := meter.ReadTariff([]byte(fileHead + `
		{"provider":"openai","model":"tiny","kind":"chat","in":0.0000001,"out":1.0000004,"cache_read":1e-7},
		{"provider":"openai","model":"two","kind":"chat","in":1,"out":2,"cache_read":0.5,"alt":{"in":0.9,"out":2.5,"src":"gp:two"}},
		{"provider":"openai","model":"sorts","kind":"classifier","in":1,"out":1},
		{"provider":"openai","model":"half","kind":"chat","in":1},
		{"provider":"openai","model":"free out","kind":"chat","in":1,"out":0},
		{"provider":"openai","model":"free tier","kind":"chat","in":1,"out":1,"tiers":[{"above":5,"in":0,"out":0}]},
		{"provider":"openai","model":"tiers","kind":"chat","in":1,"out":1,"tiers":[{"above":50,"in":3,"out":3},{"above":5,"in":2,"out":2}]}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := tf.Price(passport.OpenAI, "tiny"); p.Input != 1 || p.CacheRead != 1 || p.Output != 1_000_001 {
		t.Errorf("not rounded up: %+v", p)
	}
	if p, _ := tf.Price(passport.OpenAI, "two"); p.Input != 1_000_000 || p.Output != 2_500_000 || p.CacheRead != 500_000 {
		t.Errorf("not the dearer of each number: %+v", p)
	}
	for _, model := range []string{"sorts", "half", "free out", "free tier"} {
		if p, ok := tf.Price(passport.OpenAI, model); ok {
			t.Errorf("%s has a price: %+v", model, p)
		}
	}
	if p, _ := tf.Price(passport.OpenAI, "tiers"); len(p.Tiers) != 2 || p.Tiers[0].Above != 5 || p.Tiers[1].Above != 50 {
		t.Errorf("tiers are not in order: %+v", p)
	}
}

func TestPricesThatAreNotUnderstood(t *testing.T) {
	row := `{"provider":"openai","model":"m","kind":"chat","in":1,"out":1}`
	for name, file := range map[string]string{
		"nothing":          ``,
		"another schema":   strings.Replace(fileHead, `"schema":1`, `"schema":2`, 1) + row + `]}`,
		"another currency": strings.Replace(fileHead, "USD", "EUR", 1) + row + `]}`,
		"an unknown price": fileHead + strings.Replace(row, `"in":1`, `"in":1,"per_call":3`, 1) + `]}`,
		"a negative price": fileHead + strings.Replace(row, `"in":1`, `"in":-1`, 1) + `]}`,
		"a huge price":     fileHead + strings.Replace(row, `"in":1`, `"in":1e30`, 1) + `]}`,
		"one model twice":  fileHead + row + "," + row + `]}`,
	} {
		if _, err := meter.ReadTariff([]byte(file)); err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

func TestNoticeNamesTheSources(t *testing.T) {
	notice, err := os.ReadFile("data/NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("data/prices.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Sources []struct{ NPM string }
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Sources) == 0 {
		t.Fatalf("sources: %v, %v", file, err)
	}
	for _, s := range file.Sources {
		if name, version, ok := strings.Cut(s.NPM[1:], "@"); !ok || !strings.Contains(string(notice), name+" "+version) {
			t.Errorf("NOTICE does not name %s", s.NPM)
		}
	}
}

func BenchmarkLoadTariff(b *testing.B) {
	for b.Loop() {
		if _, err := meter.LoadTariff(); err != nil {
			b.Fatal(err)
		}
	}
}
