package meter_test

import (
	"math"
	"testing"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/passport"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func tariff(t testing.TB) *meter.Tariff {
	t.Helper()
	tf, err := meter.LoadTariff()
	if err != nil {
		t.Fatal(err)
	}
	return tf
}

func priceOf(t testing.TB, p passport.Provider, model string) meter.ModelPrice {
	t.Helper()
	price, ok := tariff(t).Price(p, model)
	if !ok {
		t.Fatalf("%s of %s has no price", model, p)
	}
	return price
}

func TestCost(t *testing.T) {
	for _, tt := range []struct {
		name     string
		provider passport.Provider
		model    string
		u        passport.Usage
		want     passport.Money
	}{
		{"nothing used", passport.OpenAI, "gpt-4o", passport.Usage{}, 0},
		{"sound at its own price", passport.OpenAI, "gpt-audio", passport.Usage{Input: 1000, InputAudio: 600, Output: 500, OutputAudio: 400},
			1_000 + 19_200 + 1_000 + 25_600},
		{"cached sound", passport.Google, "gemini-2.5-flash", passport.Usage{Input: 1000, InputAudio: 600, CacheRead: 500, CacheAudio: 400},
			300*300/1000 + 200 + 100*30/1000 + 40},
		{"sound in a long prompt costs what text does there", passport.Google, "gemini-2.5-pro", passport.Usage{Input: 300_000, InputAudio: 100_000}, 750_000},
		{"images made and shown", passport.OpenAI, "gpt-image-1.5", passport.Usage{Input: 1000, InputImage: 900, CacheRead: 100, CacheImage: 100, Output: 4160, OutputImage: 4160},
			500 + 6_400 + 200 + 133_120},
		{"a search of the web", passport.Anthropic, "claude-haiku-4-5", passport.Usage{Input: 1000, Output: 100, Searches: 3}, 1_000 + 500 + 30_000},
		{"a search of files", passport.OpenAI, "gpt-4.1", passport.Usage{Input: 1000, FileSearches: 2}, 2_000 + 5_000},
		{"begun seconds of sound", passport.OpenAI, "whisper-1", passport.Usage{AudioSeconds: 61}, 6_100},
		{"an embedding", passport.OpenAI, "text-embedding-3-small", passport.Usage{Input: 8000}, 160},
		{"speech", passport.Google, "gemini-2.5-flash-tts", passport.Usage{Input: 100, Output: 1000, OutputAudio: 1000}, 50 + 10_000},
		{"input and output", passport.OpenAI, "gpt-4o", passport.Usage{Input: 1000, Output: 500}, 2_500 + 5_000},
		{"reasoning is part of output", passport.OpenAI, "gpt-4o", passport.Usage{Input: 1000, Output: 500, Reasoning: 400}, 2_500 + 5_000},
		{"cached input is part of input", passport.OpenAI, "gpt-4o", passport.Usage{Input: 1000, CacheRead: 600, Output: 500}, 1_000 + 750 + 5_000},
		{"one token costs a whole unit", passport.OpenAI, "gpt-4o-mini", passport.Usage{Input: 1}, 1},
		{"rounded up once, not twice", passport.OpenAI, "gpt-4o-mini", passport.Usage{Input: 1, Output: 1}, 1},
		{"rounded up once, of 0.15+0.6+0.6", passport.OpenAI, "gpt-4o-mini", passport.Usage{Input: 1, Output: 2}, 2},
		{"at the edge of a tier", passport.OpenAI, "gpt-5.4", passport.Usage{Input: 272_000, Output: 1000}, 680_000 + 15_000},
		{"above it all is dearer", passport.OpenAI, "gpt-5.4", passport.Usage{Input: 272_001, Output: 1000}, 1_360_005 + 22_500},
		{"a tier by all input, cached too", passport.OpenAI, "gpt-5.4", passport.Usage{Input: 272_001, CacheRead: 272_001}, 136_001},
		{"cache writes of both kinds", passport.Anthropic, "claude-sonnet-4-5",
			passport.Usage{Input: 10_000, CacheRead: 1_000, CacheWrite: 2_000, CacheWrite1h: 3_000, Output: 100}, 12_000 + 300 + 7_500 + 18_000 + 1_500},
		{"an hour's write without a price is twice the input", passport.Anthropic, "claude-fable-5-2", passport.Usage{Input: 1000, CacheWrite1h: 1000}, 16_000},
		{"a read without a price is plain input", passport.OpenAI, "gpt-4", passport.Usage{Input: 1000, CacheRead: 1000}, 30_000},
		{"a write without a price is 1.25 of the input", passport.OpenAI, "gpt-4", passport.Usage{Input: 1000, CacheWrite: 1000}, 37_500},
		{"Google's tiers", passport.Google, "gemini-2.5-pro", passport.Usage{Input: 200_001, Output: 10}, 500_003 + 150},
	} {
		tt.u.Known = true
		if got := priceOf(t, tt.provider, tt.model).Cost(tt.u); got != tt.want {
			t.Errorf("%s: %s of %+v costs %d, want %d", tt.name, tt.model, tt.u, got, tt.want)
		}
	}
}

func TestCostOfWhatCannotBeIsCoveredByNothing(t *testing.T) {
	p := priceOf(t, passport.OpenAI, "gpt-4o")
	for _, u := range []passport.Usage{
		{}, {Known: true, Input: -1}, {Known: true, Output: -1}, {Known: true, Output: math.MinInt64}, {Known: true, Input: math.MaxInt64},
		{Known: true, Input: 10, CacheRead: 11}, {Known: true, Input: 10, CacheRead: 6, CacheWrite1h: 6},
	} {
		if got := p.Cost(u); got <= passport.MaxMoney {
			t.Errorf("%+v costs %s, want more than any cap", u, got)
		}
	}
}

// TestCostOfWhatHasNoPrice: a part that the tariff has no price for is not free.
func TestCostOfWhatHasNoPrice(t *testing.T) {
	p := priceOf(t, passport.OpenAI, "gpt-3.5-turbo")
	for _, u := range []passport.Usage{{Input: 1, InputAudio: 1}, {Output: 1, OutputAudio: 1}, {Output: 1, OutputImage: 1}, {Searches: 1}, {FileSearches: 1}, {AudioSeconds: 1}} {
		u.Known = true
		if got := p.Cost(u); got <= passport.MaxMoney {
			t.Errorf("%+v costs %s, want more than any cap", u, got)
		}
	}
	for _, u := range []passport.Usage{{Input: 5, InputImage: 6}, {Input: 5, CacheRead: 2, CacheImage: 3, InputImage: 4}, {Input: 5, CacheRead: 3, CacheAudio: 3, InputAudio: 2},
		{Output: 5, OutputImage: 3, OutputAudio: 3}, {Output: 5, Reasoning: 6}, {Searches: -1}, {Input: 10, CacheRead: 6, InputAudio: 6}} {
		u.Known = true
		if u.Sane() {
			t.Errorf("%+v is sane", u)
		}
	}
}

// TestNoUsageTellsOfCharacters: what a server says in tokens is no bill for what is billed by the character; the hold is.
func TestNoUsageTellsOfCharacters(t *testing.T) {
	p := meter.ModelPrice{Provider: passport.OpenAI, Model: "spoken", Kind: passport.KindSpeech, Character: 15_000_000}
	if got := p.Cost(passport.Usage{Known: true, Input: 5, Output: 5}); got <= passport.MaxMoney {
		t.Errorf("it costs %d", got)
	}
}

func TestReasoningAtAPriceOfItsOwn(t *testing.T) {
	p, _ := tariff(t).With(meter.ModelPrice{Provider: passport.OpenAI, Model: "x", Input: 1_000_000, Output: 1_000_000, OutputReasoning: 3_000_000, Request: 5_000_000}).Price(passport.OpenAI, "x")
	if got := p.Cost(passport.Usage{Known: true, Input: 10, Output: 100, Reasoning: 40}); got != 10+60+120+5 {
		t.Errorf("got %d", got)
	}
	if got := p.WorstCase(passport.Call{Kind: passport.KindChat, Choices: 1}, 100); got != 80+300+5 { // 64 for the template, written to a cache
		t.Errorf("worst %d", got)
	}
}

func TestShortChat(t *testing.T) {
	for model, want := range map[string]passport.Money{"gpt-4o-mini": 150 + 300, "gpt-4o": 7_500} {
		if got := priceOf(t, passport.OpenAI, model).ShortChat(); got != want {
			t.Errorf("%s: %d, want %d", model, got, want)
		}
	}
}

func TestWorstCase(t *testing.T) {
	call := func(bytes, parts, choices int64) passport.Call {
		return passport.Call{Kind: passport.KindChat, BodyBytes: bytes, Parts: parts, Choices: choices}
	}
	flat := meter.ModelPrice{Provider: passport.OpenAI, Model: "flat", Kind: passport.KindChat, Input: 1_000_000, CacheRead: 1_000_000, CacheWrite: 1_000_000,
		CacheWrite1h: 1_000_000, Output: 2_000_000}
	window := flat
	window.Context = 5_000
	embedding := window
	embedding.Kind = passport.KindEmbedding
	spoken := meter.ModelPrice{Provider: passport.OpenAI, Model: "spoken", Kind: passport.KindSpeech, Character: 15_000_000}
	cached := flat
	cached.CacheWrite, cached.CacheWrite1h = 1_250_000, 2_000_000
	anthropic := flat
	anthropic.Provider = passport.Anthropic
	early := anthropic
	early.Model = "claude-opus-4-5"
	tiered := flat
	tiered.Tiers = []meter.Tier{{Above: 2_000, Input: 3_000_000, CacheRead: 3_000_000, CacheWrite: 3_000_000, CacheWrite1h: 3_000_000, Output: 4_000_000}}
	cheaper := flat
	cheaper.Tiers = []meter.Tier{{Above: 2_000, Input: 1, CacheRead: 1, CacheWrite: 1, CacheWrite1h: 1, Output: 1}}
	for _, tt := range []struct {
		name string
		p    meter.ModelPrice
		c    passport.Call
		out  int64
		want passport.Money
	}{
		{"bytes, a part, the template", flat, call(1000, 1, 1), 460, 1000 + 16 + 64 + 920},
		{"every part", flat, call(1000, 10, 1), 0, 1000 + 160 + 64},
		{"every choice, the input once", flat, call(1000, 1, 3), 100, 1080 + 600},
		{"no more than the window", window, call(1_000_000, 1, 1), 0, 5_000},
		{"below the window", window, call(1_000, 1, 1), 0, 1_080},
		{"the dearest kind of input", cached, call(1000, 1, 1), 0, 2_160},
		{"a tier out of reach", tiered, call(1920, 1, 1), 10, 2000 + 20},
		{"a tier that the bound reaches, for output too", tiered, call(1921, 1, 1), 10, 2001*3 + 40},
		{"a cheaper tier is no bound", cheaper, call(5000, 1, 1), 10, 5080 + 20},
		{"Anthropic without tools", anthropic, call(1000, 1, 1), 0, 1080 + 108},
		{"Anthropic with what may be a tool", anthropic, call(1000, 2, 1), 0, 1096 + 1024 + 212},
		{"Anthropic, before it was dearer in the US", early, call(1000, 1, 1), 0, 1080},
		{"characters", spoken, passport.Call{Kind: passport.KindSpeech, BodyBytes: 5000, Parts: 1, Choices: 1, Characters: 4096}, 0, 61_440},
		{"a text whose characters were not counted", spoken, passport.Call{Kind: passport.KindSpeech, BodyBytes: 5000, Parts: 1, Choices: 1}, 0, passport.MaxMoney + 1},
		{"fewer characters than none", spoken, passport.Call{Kind: passport.KindSpeech, Parts: 1, Choices: 1, Characters: -1}, 0, passport.MaxMoney + 1},
		{"texts that have the window each", embedding, passport.Call{Kind: passport.KindEmbedding, BodyBytes: 100_000, Parts: 3, Choices: 1}, 0, 15_000},
		{"hidden input", window, passport.Call{Kind: passport.KindChat, BodyBytes: 10, Parts: 1, Choices: 1, Hidden: true}, 0, 5_000},
		{"hidden input without a window", flat, passport.Call{Kind: passport.KindChat, BodyBytes: 10, Parts: 1, Choices: 1, Hidden: true}, 0, passport.MaxMoney + 1},
		{"more than an int64 of output", flat, call(1, 1, math.MaxInt64), math.MaxInt64, passport.MaxMoney + 1},
		{"more than an int64 of input", flat, call(math.MaxInt64, math.MaxInt64, 1), 0, passport.MaxMoney + 1},
		{"a negative body", flat, call(-1, 1, 1), 1, passport.MaxMoney + 1},
		{"negative parts", flat, call(1, -1, 1), 1, passport.MaxMoney + 1},
		{"no choice", flat, call(1, 1, 0), 1, passport.MaxMoney + 1},
		{"a negative cap", flat, call(1, 1, 1), -1, passport.MaxMoney + 1},
	} {
		if got := tt.p.WorstCase(tt.c, tt.out); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

var kinds = []passport.Kind{passport.KindChat, passport.KindEmbedding, passport.KindImage, passport.KindTranscription, passport.KindSpeech}

// everyModel is all that the tariff has, in order.
func everyModel(tf *meter.Tariff) (out []meter.ModelPrice) {
	for _, p := range passport.Providers {
		for _, k := range kinds {
			out = append(out, tf.Models(p, k)...)
		}
	}
	return out
}

// anyPrice draws a model of the tariff or one that is made up, as the tariff would hold it.
func anyPrice(rt *rapid.T, tf *meter.Tariff) meter.ModelPrice {
	if rapid.Bool().Draw(rt, "listed") {
		return rapid.SampledFrom(everyModel(tf)).Draw(rt, "model")
	}
	price := rapid.Map(rapid.Int64Range(0, 1_000_000_000), func(n int64) passport.Price { return passport.Price(n) })
	p := meter.ModelPrice{
		Provider: rapid.SampledFrom(passport.Providers).Draw(rt, "provider"), Model: "made-up",
		Input: price.Draw(rt, "in"), CacheRead: price.Draw(rt, "read"), CacheWrite: price.Draw(rt, "write"), CacheWrite1h: price.Draw(rt, "hour"),
		InputAudio: price.Draw(rt, "audio"), CacheAudio: price.Draw(rt, "audio read"), InputImage: price.Draw(rt, "image"), CacheImage: price.Draw(rt, "image read"),
		Output: price.Draw(rt, "out"), OutputReasoning: price.Draw(rt, "reasoning"), OutputAudio: price.Draw(rt, "speech"), OutputImage: price.Draw(rt, "picture"),
		Search: price.Draw(rt, "search"), FileSearch: price.Draw(rt, "file search"), Request: price.Draw(rt, "request"), Context: rapid.SampledFrom([]int64{0, 1, 8_192, 1_000_000}).Draw(rt, "context"),
	}
	for above := int64(0); rapid.IntRange(0, 2).Draw(rt, "another tier") > 0 && len(p.Tiers) < 4; {
		above += rapid.Int64Range(1, 100_000).Draw(rt, "above")
		p.Tiers = append(p.Tiers, meter.Tier{Above: above, Input: price.Draw(rt, "in"), CacheRead: price.Draw(rt, "read"),
			CacheWrite: price.Draw(rt, "write"), CacheWrite1h: price.Draw(rt, "hour"), Output: price.Draw(rt, "out")})
	}
	p, ok := tf.With(p).Price(p.Provider, p.Model)
	if !ok {
		rt.Fatalf("%+v was not taken", p)
	}
	return p
}

func anyCall(rt *rapid.T) passport.Call {
	c := passport.Call{
		BodyBytes: rapid.Int64Range(0, 2_000_000).Draw(rt, "bytes"),
		Parts:     rapid.Int64Range(0, 1000).Draw(rt, "parts"),
		Choices:   rapid.Int64Range(1, 8).Draw(rt, "choices"),
	}
	if rapid.Bool().Draw(rt, "modes") {
		c.Images = rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) passport.Image {
			return passport.Image{Width: rapid.Int64Range(1, 10_000).Draw(rt, "width"), Height: rapid.Int64Range(1, 10_000).Draw(rt, "height"),
				Detail: rapid.SampledFrom([]passport.Detailed{"", "auto", "low", "high", "original"}).Draw(rt, "detail"), Bytes: rapid.Int64Range(1, 1_000_000).Draw(rt, "image bytes")}
		}), 0, 3).Draw(rt, "images")
		c.Clips = rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) passport.Clip {
			clip := passport.Clip{Bytes: 1000}
			if rapid.Bool().Draw(rt, "known") {
				clip.Seconds = passport.LimitOf(rapid.Int64Range(0, 10_000).Draw(rt, "seconds"))
			}
			return clip
		}), 0, 2).Draw(rt, "clips")
		c.Searches = rapid.SampledFrom([]int64{0, 0, 1, 5}).Draw(rt, "searches")
		c.Characters = rapid.Int64Range(0, 4096).Draw(rt, "characters")
		c.Hidden = rapid.Bool().Draw(rt, "hidden")
		c.FileSearches = rapid.SampledFrom([]int64{0, 0, 3}).Draw(rt, "file searches")
	}
	return c
}

// documented is what the providers' pages say that an image or a second of sound can count for at most, whatever the model: no
// table of the meter may be below what it says for its family, and what is drawn here is at most half of it.
func anyModes(rt *rapid.T, p meter.ModelPrice, c passport.Call) (image, audio int64) {
	for range c.Images {
		image += rapid.Int64Range(0, map[passport.Provider]int64{passport.OpenAI: 70, passport.Anthropic: 1_600, passport.Google: 2_240}[p.Provider]).Draw(rt, "image tokens")
	}
	for _, clip := range c.Clips {
		if s, known := clip.Seconds.Get(); known && p.InputAudio > 0 {
			audio += rapid.Int64Range(0, s*map[passport.Provider]int64{passport.OpenAI: 10, passport.Anthropic: 0, passport.Google: 32}[p.Provider]).Draw(rt, "audio tokens")
		}
	}
	return image, audio
}

// anyUsage draws what a provider that keeps to the bounds can bill for c.
func anyUsage(rt *rapid.T, p meter.ModelPrice, c passport.Call, maxOutput int64) passport.Usage {
	image, audio := anyModes(rt, p, c)
	text, rounds := c.BodyBytes+16*c.Parts+64, int64(1)
	if c.Searches > 0 {
		rounds, text = 11, p.Context
	}
	if c.Hidden {
		text = p.Context
	}
	if window := p.Context; window > 0 {
		if p.Kind == passport.KindEmbedding { // each text has the window to itself
			window *= max(1, c.Parts)
		}
		text = min(text, window)
		image = min(image, window-text)
		audio = min(audio, window-text-image)
	}
	u := passport.Usage{Known: true}
	u.InputImage, u.InputAudio = image*rounds, audio*rounds
	text = rapid.Int64Range(0, text*rounds).Draw(rt, "text")
	u.CacheImage = rapid.Int64Range(0, u.InputImage).Draw(rt, "cached images")
	u.CacheAudio = rapid.Int64Range(0, u.InputAudio).Draw(rt, "cached audio")
	read := rapid.Int64Range(0, text).Draw(rt, "cache read")
	u.Input, u.CacheRead = text+u.InputImage+u.InputAudio, read+u.CacheImage+u.CacheAudio
	u.CacheWrite = rapid.Int64Range(0, text-read).Draw(rt, "cache write")
	u.CacheWrite1h = rapid.Int64Range(0, text-read-u.CacheWrite).Draw(rt, "cache write 1h")
	u.Output = rapid.Int64Range(0, maxOutput*c.Choices*rounds).Draw(rt, "output")
	u.Reasoning = rapid.Int64Range(0, u.Output).Draw(rt, "reasoning")
	if p.OutputAudio > 0 {
		u.OutputAudio = rapid.Int64Range(0, u.Output-u.Reasoning).Draw(rt, "speech")
	}
	if p.OutputImage > 0 {
		u.OutputImage = rapid.Int64Range(0, u.Output-u.Reasoning-u.OutputAudio).Draw(rt, "pictures")
	}
	if p.Search > 0 {
		u.Searches = rapid.Int64Range(0, c.Searches).Draw(rt, "searched")
	}
	if p.FileSearch > 0 {
		u.FileSearches = rapid.Int64Range(0, c.FileSearches).Draw(rt, "searched files")
	}
	if p.AudioSecond > 0 {
		for _, clip := range c.Clips {
			u.AudioSeconds += rapid.Int64Range(0, clip.Seconds.Or(0)).Draw(rt, "heard")
		}
	}
	return u
}

func TestCostNeverPassesTheWorstCase(t *testing.T) {
	tf := tariff(t)
	rapid.Check(t, func(rt *rapid.T) {
		p, c := anyPrice(rt, tf), anyCall(rt)
		if p.Character > 0 {
			return // the usage of what is billed by the character is never told: its hold is charged, which TestWorstCase looks at
		}
		maxOutput := rapid.Int64Range(0, 200_000).Draw(rt, "cap")
		if worst := p.WorstCase(c, maxOutput); worst <= passport.MaxMoney {
			u := anyUsage(rt, p, c, maxOutput)
			if cost := p.Cost(u); cost > worst {
				rt.Fatalf("%+v costs %d, above the worst case %d of %+v at %+v", u, cost, worst, c, p)
			}
		}
	})
}

// TestEveryListedModelIsBounded: the property for each model of the tariff and a call of its kind that uses all that it can.
func TestEveryListedModelIsBounded(t *testing.T) {
	unbounded := map[string]bool{}
	for _, p := range everyModel(tariff(t)) {
		rapid.Check(t, func(rt *rapid.T) {
			c := anyCall(rt)
			if p.InputAudio == 0 && p.AudioSecond == 0 || p.Context == 0 && p.AudioSecond == 0 {
				c.Clips = nil
			}
			for i := range c.Clips {
				c.Clips[i].Seconds = passport.LimitOf(c.Clips[i].Seconds.Or(7))
			}
			if p.Context == 0 {
				c.Searches, c.Hidden = 0, false
			}
			c.Characters++
			worst := p.WorstCase(c, 1000)
			if worst > passport.MaxMoney {
				unbounded[p.Model] = true
			}
			if worst > passport.MaxMoney || p.Character > 0 { // whose usage tells nothing
				return
			}
			u := anyUsage(rt, p, c, 1000)
			if cost := p.Cost(u); cost > worst {
				rt.Fatalf("%+v costs %d, above the worst case %d of %+v at %+v", u, cost, worst, c, p)
			}
		})
	}
	want := map[string]bool{"gpt-4o-mini-tts": true, "gpt-5-image": true, "gpt-5-image-mini": true, "gpt-5.4-image-2": true, "gpt-image-2": true}
	if diff := cmp.Diff(want, unbounded); diff != "" {
		t.Errorf("models without a bound (-want +got):\n%s", diff)
	}
}

func TestWorstCaseGrowsWithTheCall(t *testing.T) {
	tf := tariff(t)
	rapid.Check(t, func(rt *rapid.T) {
		p, c := anyPrice(rt, tf), anyCall(rt)
		maxOutput := rapid.Int64Range(0, 200_000).Draw(rt, "cap")
		more := c
		more.BodyBytes += rapid.Int64Range(0, 500_000).Draw(rt, "more bytes")
		more.Parts += rapid.Int64Range(0, 100).Draw(rt, "more parts")
		more.Choices += rapid.Int64Range(0, 3).Draw(rt, "more choices")
		moreOutput := maxOutput + rapid.Int64Range(0, 1000).Draw(rt, "more output")
		if a, b := p.WorstCase(c, maxOutput), p.WorstCase(more, moreOutput); a > b {
			rt.Fatalf("%+v with %d costs %d at worst, %+v with %d only %d", c, maxOutput, a, more, moreOutput, b)
		}
	})
}

func TestCostGrowsWithTheUsageOfListedModels(t *testing.T) {
	tf := tariff(t)
	rapid.Check(t, func(rt *rapid.T) {
		p := rapid.SampledFrom(everyModel(tf)).Draw(rt, "model")
		u := anyUsage(rt, meter.ModelPrice{}, anyCall(rt), 1000)
		more := u
		more.Input += rapid.Int64Range(0, 500_000).Draw(rt, "more input")
		more.Output += rapid.Int64Range(0, 1000).Draw(rt, "more output")
		if a, b := p.Cost(u), p.Cost(more); a > b {
			rt.Fatalf("%s: %+v costs %d, %+v only %d", p.Model, u, a, more, b)
		}
	})
}
