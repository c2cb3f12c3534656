package meter_test

import (
	"testing"

	"github.com/devrelopers/aipassport/guard/meter"
	"github.com/devrelopers/aipassport/passport"
)

const window = 100_000_000

// tokens is what WorstCase holds for c in model tokens at a micro-dollar each, beyond what it holds without images and sound.
func tokens(t *testing.T, provider passport.Provider, model string, c passport.Call) int64 {
	t.Helper()
	p, ok := tariff(t).With(meter.ModelPrice{Provider: provider, Model: model, Input: 1_000_000, CacheRead: 1_000_000, CacheWrite: 1_000_000,
		CacheWrite1h: 1_000_000, InputAudio: 1_000_000, Output: 1, Context: window}).Price(provider, model)
	if !ok {
		t.Fatalf("%s was not taken", model)
	}
	c.Kind, c.Choices = passport.KindChat, 1
	bare := c
	bare.Images, bare.Clips = nil, nil
	return int64(p.WorstCase(c, 0)-p.WorstCase(bare, 0)) - 16*int64(len(c.Images)+len(c.Clips))
}

// TestImagesAreHeldAtTheirTables: what the providers' pages say of an image of a size, or the most that they say of any.
func TestImagesAreHeldAtTheirTables(t *testing.T) {
	for _, tt := range []struct {
		provider      passport.Provider
		model         string
		width, height int64
		detail        passport.Detailed
		want          int64
	}{
		{passport.OpenAI, "gpt-4o", 1024, 1024, "high", 85 + 8*170}, // 765 in fact: the most is held
		{passport.OpenAI, "gpt-4o", 4096, 8192, "low", 85},
		{passport.OpenAI, "gpt-4o-mini", 10, 10, "", 2833 + 8*5667},
		{passport.OpenAI, "gpt-4o-mini", 10, 10, "low", 2833},
		{passport.OpenAI, "gpt-4.1", 10, 10, "auto", 85 + 8*170},
		{passport.OpenAI, "gpt-5-chat-latest", 10, 10, "auto", 70 + 8*140},
		{passport.OpenAI, "gpt-5.1", 10, 10, "low", 70},
		{passport.OpenAI, "o3", 10, 10, "high", 75 + 8*150},
		{passport.OpenAI, "gpt-5.4", 1024, 1024, "high", 1229 + 1},
		{passport.OpenAI, "gpt-5.4", 2048, 2048, "high", 3000 + 1},
		{passport.OpenAI, "gpt-5.4", 2048, 2048, "auto", 3000 + 1},
		{passport.OpenAI, "gpt-5.4", 6000, 6000, "original", 12_000 + 1},
		{passport.OpenAI, "gpt-5.4", 6000, 6000, "low", 7373 + 1},
		{passport.OpenAI, "gpt-5.5", 6000, 6000, "", 12_000 + 1},
		{passport.OpenAI, "gpt-5.6-sol", 6000, 6000, "high", 3000 + 1},
		{passport.OpenAI, "gpt-5.6-sol", 6000, 6000, "low", 308 + 1},
		{passport.OpenAI, "gpt-5.6-sol", 6400, 6400, "auto", 200*200*12/10 + 1},
		{passport.OpenAI, "gpt-5.6-sol", 65_535, 65_535, "original", 2048*2048*12/10 + 1 + 1},
		{passport.OpenAI, "gpt-4.1-mini", 1024, 1024, "", 1659 + 1},
		{passport.OpenAI, "gpt-4.1-nano", 1024, 1024, "", 2520 + 1},
		{passport.OpenAI, "o4-mini", 1024, 1024, "", 1762 + 1},
		{passport.OpenAI, "gpt-6-sol", 1024, 1024, "", 2520 + 1},
		{passport.OpenAI, "of-nobody-knows-whom", 32, 32, "", 2833 + 8*5667},
		{passport.OpenAI, "of-nobody-knows-whom", 65_535, 65_535, "", 2048*2048*246/100 + 1 + 1},
		{passport.Anthropic, "claude-sonnet-4-5", 8000, 8000, "", 1700},
		{passport.Anthropic, "claude-3-5-haiku-latest", 8000, 8000, "", 1700},
		{passport.Anthropic, "claude-opus-4-7", 10, 10, "", 4784 + 480},   // a tenth of it and of the call around it: it may run in the US
		{passport.Anthropic, "claude-sonnet-5-5", 10, 10, "", 4784 + 480}, // a tenth of it and of the call around it: it may run in the US
		{passport.Google, "gemini-3-flash-preview", 8000, 8000, "", 2240},
		{passport.Google, "gemini-2.5-flash", 384, 384, "", 2322},
		{passport.Google, "gemini-2.5-flash", 960, 540, "", 258 * 4 * 3},
		{passport.Google, "gemini-flash-latest", 2560, 2560, "", 25_800},
	} {
		c := passport.Call{BodyBytes: 100, Images: []passport.Image{{Width: tt.width, Height: tt.height, Detail: tt.detail, Bytes: 5000}}}
		if got := tokens(t, tt.provider, tt.model, c); got != tt.want {
			t.Errorf("%s, %d x %d at %q: %d model tokens, want %d", tt.model, tt.width, tt.height, tt.detail, got, tt.want)
		}
	}
	// Where base64 was seen to count as text it is held besides.
	c := passport.Call{BodyBytes: 100, Images: []passport.Image{{Width: 32, Height: 32, Detail: "high", Bytes: 5000}}}
	if got := tokens(t, passport.OpenAI, "gpt-5.4-mini", c); got != 5000+2+1 {
		t.Errorf("gpt-5.4-mini: %d", got)
	}
}

func TestSoundIsHeldByItsLengthOrTheWindow(t *testing.T) {
	for _, tt := range []struct {
		provider passport.Provider
		seconds  passport.Limit
		want     int64
	}{
		{passport.Google, passport.LimitOf(60), 60 * 32},
		{passport.OpenAI, passport.LimitOf(60), 60 * 25},
		{passport.OpenAI, passport.LimitOf(0), 0},
		{passport.Google, passport.Limit{}, window - 64 - 16}, // all that the window has left
	} {
		if got := tokens(t, tt.provider, "x", passport.Call{Clips: []passport.Clip{{Seconds: tt.seconds}}}); got != tt.want {
			t.Errorf("%s, %s seconds: %d, want %d", tt.provider, tt.seconds, got, tt.want)
		}
	}
}

// TestSearchIsHeldAtAFullWindowInEachRound, and so is what is written in answer.
func TestSearchIsHeldAtAFullWindowInEachRound(t *testing.T) {
	p := priceOf(t, passport.Anthropic, "claude-haiku-4-5") // $1 in, $2 at most with a cache of an hour, $5 out, $0.01 a search
	got := p.WorstCase(passport.Call{Kind: passport.KindChat, BodyBytes: 100, Parts: 2, Choices: 1, Searches: 3}, 1000)
	if want := passport.Money(11*200_000*2 + 11*1000*5 + 3*10_000); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestImagesThatAreMadeAreHeldWithTheirText: an answer may tell the text besides an image apart or not, in which case it costs as much as the image.
func TestImagesThatAreMadeAreHeldWithTheirText(t *testing.T) {
	const image, text, input = 6_240, 1_024, 100 + 16 + 64
	images := func(_ *meter.Config, d *passport.Detail) {
		d.Capabilities, d.MaxBudgetCents = []passport.Capability{passport.Images}, passport.LimitOf(10_000)
	}
	for _, model := range []string{"gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "gpt-image-1.5-2025-12-16"} {
		for _, n := range []int64{1, 10} {
			for name, used := range map[string]passport.Usage{
				"seen of one, told apart": {Output: n * 6_543, OutputImage: n * 6_208},
				"seen of one, in one":     {Output: n * 6_543, OutputImage: n * 6_543},
				"the most, told apart":    {Output: n * (image + text), OutputImage: n * image},
				"the most, in one":        {Output: n * (image + text), OutputImage: n * (image + text)},
				"the most, as text":       {Output: n * (image + text)},
			} {
				used.Known, used.Input = true, input
				d := open(t, images)
				r := d.mustReserve(passport.Call{Provider: passport.OpenAI, Kind: passport.KindImage, Model: model, Uses: []passport.Capability{passport.Images},
					BodyBytes: 100, Parts: 1, Choices: n})
				if cost := r.Settle(t.Context(), passport.Finished, used); cost > r.Amount || len(d.frozen) > 0 {
					t.Errorf("%s, %d images, %s: %s billed, %s held, frozen %v", model, n, name, cost, r.Amount, d.frozen)
				}
			}
		}
	}
}
