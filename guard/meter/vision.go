package meter

import (
	"strings"

	"github.com/devrelopers/aipassport/passport"
)

// MaxSide bounds an image's width and height in pixels: OpenAI's models that look closest take no more (guide "Images and
// vision", Model sizing behavior), and no larger one is worth its money.
const MaxSide = 65_535

// imageTokens is the most model tokens that an image can count for. Not ok: nothing bounds it.
func (p *ModelPrice) imageTokens(i passport.Image) (int64, bool) {
	if i.Width < 1 || i.Height < 1 || i.Width > MaxSide || i.Height > MaxSide {
		return 0, false
	}
	switch {
	case p.Provider == passport.Anthropic:
		return claudeTokens(p.Model), true
	case p.Provider == passport.Google:
		return geminiTokens(p.Model, i), true
	case p.Kind == passport.KindImage:
		return imageShown, tabledImages(p.Model)
	default: // OpenAI, and who speaks its dialect
		return openAITokens(p.Model, i), true
	}
}

// Claude scales an image down until it fits: to about 1,600 tokens, from Opus 4.7 and Sonnet 5 on to 4,784
// (platform.claude.com/docs/en/build-with-claude/vision). Its size does not matter then: the most is held.
const (
	claudeStandard = 1_700
	claudeHigh     = 4_784
)

func claudeTokens(model string) int64 {
	for _, old := range []string{"claude-2", "claude-3-", "claude-opus-4-0", "claude-opus-4-1", "claude-opus-4-5", "claude-opus-4-6",
		"claude-sonnet-4-", "claude-haiku-4-"} {
		if strings.HasPrefix(model, old) {
			return claudeStandard
		}
	}
	return claudeHigh
}

// Gemini from 3 on gives an image 2,240 tokens at most, at the highest media_resolution. Gemini 2.5 says 256 and about 2,048 more
// (both: ai.google.dev/gemini-api/docs/media-resolution, Token counts), its tokens page, as for 2.0, 258 for each tile
// of up to 768 pixels, of which the smallest cut is 256. The most of all that is held where the family is not known to be a later one.
const (
	gemini3Image = 2_240
	geminiPan    = 9 * geminiTile
	geminiTile   = 258
	geminiCut    = 256
)

func geminiTokens(model string, i passport.Image) int64 {
	if strings.HasPrefix(model, "gemini-3") || strings.HasPrefix(model, "gemini-4") {
		return gemini3Image
	}
	return max(geminiPan, gemini3Image, geminiTile*over(i.Width, geminiCut)*over(i.Height, geminiCut))
}

// looks is how a family of OpenAI's models counts an image (guide "Images and vision", Calculating costs): by patches of 32 pixels
// times a factor, as many as a limit for each detail allows, or by tiles.
type looks struct {
	family               string // beginning of the model's name; the longest that fits counts
	hundredths           int64  // tokens a hundred patches; 0: tiles
	low, high, most, own int64  // patches at detail low, high, original, auto; 0: no limit but the image's size
	base, tile           int64  // tokens of an image, and of each of its tiles
}

// Of numbers that the guide has changed, and of limits it leaves out, the dearer is held. What came after the guide
// (gpt-6) counts patches like those before it, at the highest factor there was.
var openAILooks = []looks{
	{family: "gpt-5.6", hundredths: 120, low: 256, high: 2_500},
	{family: "gpt-5.5", hundredths: 120, low: 256, high: 2_500, most: 10_000, own: 10_000},
	{family: "gpt-5.4", hundredths: 120, low: 6_144, high: 2_500, most: 10_000, own: 2_500},
	{family: "gpt-5.2", hundredths: 120, low: 6_144, high: 6_144, most: 10_000, own: 6_144},
	{family: "gpt-5-mini", hundredths: 162, low: 6_144, high: 6_144, most: 10_000, own: 6_144},
	{family: "gpt-5-nano", hundredths: 246, low: 6_144, high: 6_144, most: 10_000, own: 6_144},
	{family: "gpt-4.1-mini", hundredths: 162, low: 6_144, high: 6_144, most: 10_000, own: 6_144},
	{family: "gpt-4.1-nano", hundredths: 246, low: 6_144, high: 6_144, most: 10_000, own: 6_144},
	{family: "o4-mini", hundredths: 172, low: 6_144, high: 6_144, most: 10_000, own: 6_144},
	{family: "gpt-6", hundredths: 246},
	{family: "gpt-5", base: 70, tile: 140},
	{family: "gpt-5.3", hundredths: 246},
	{family: "gpt-5.1-codex-mini", hundredths: 246},
	{family: "gpt-4o", base: 85, tile: 170},
	{family: "gpt-4.1", base: 85, tile: 170},
	{family: "gpt-4.5", base: 85, tile: 170},
	{family: "gpt-4-turbo", base: 85, tile: 170},
	{family: "gpt-4o-mini", base: 2_833, tile: 5_667},
	{family: "o1", base: 75, tile: 150},
	{family: "o3", base: 75, tile: 150},
}

// An image in tiles is scaled to fit 2,048 by 2,048 pixels, then its short side to 768, and cut into squares of 512.
const (
	patchSide = 32
	mostTiles = 4 * 2
)

func openAITokens(model string, i passport.Image) int64 {
	var l looks
	for _, next := range openAILooks {
		if strings.HasPrefix(model, next.family) && len(next.family) > len(l.family) {
			l = next
		}
	}
	patches := over(i.Width, patchSide) * over(i.Height, patchSide)
	switch {
	case l.family == "": // no family that is known: the dearest of both ways
		return max(hundredths(patches, 246), 2_833+mostTiles*5_667)
	case l.tile > 0 && i.Detail == passport.DetailedLow:
		return l.base
	case l.tile > 0:
		return l.base + mostTiles*l.tile
	}
	limit := l.own
	switch i.Detail {
	case passport.DetailedLow:
		limit = l.low
	case passport.DetailedHigh:
		limit = l.high
	case passport.DetailedOriginal:
		limit = l.most
	}
	if limit > 0 {
		patches = min(patches, limit)
	}
	return hundredths(patches, l.hundredths)
}

// readsBase64 says whether the model was seen to count an image's base64 as text in chat completions
// (community.openai.com/t/gpt-5-4-mini-66k-prompt-tokens-for-a-1920x1080-png/1380539).
func (p *ModelPrice) readsBase64() bool {
	return strings.HasPrefix(p.Model, "gpt-5.4-mini") || strings.HasPrefix(p.Model, "gpt-5.4-nano")
}

// hundredths is n times h/100, rounded up, and one more: the guide says that billing may differ by one.
func hundredths(n, h int64) int64 { return over(n*h, 100) + 1 }

// over is a/b rounded up, of numbers from 1.
func over(a, b int64) int64 { return (a + b - 1) / b }

// What models that make images count for each (developers.openai.com/api/docs/guides/image-generation, Cost and latency: the
// largest size at high quality; guide "Images and vision", GPT Image 1: tiles of 129 on 65 for an image that is shown, 4 of
// them with a short side of 512, and 6,240 more at high fidelity). Text that comes with an image is in no table: gpt-image-1.5 was seen
// to bill 335 tokens of it besides 6,208, and there is room for three times as much. Of gpt-image-2, whose sizes are free, no table is
// published: it has no bound.
const (
	imageMade  = 6_240 + 1_024
	imageShown = 65 + 4*129 + 6_240
)

func tabledImages(model string) bool {
	return strings.HasPrefix(model, "gpt-image-1") // gpt-image-1, -1-mini, -1.5
}

// Sound, in model tokens a second.
const (
	// Gemini 2.5 and before 32, Gemini 3 and later 25 (ai.google.dev/gemini-api/docs/media-resolution, Token counts).
	googleSound = 32
	// OpenAI: one for each 100 ms of what a user says (guide "Managing costs" of the Realtime API). For chat completions no rate is
	// published: two and a half times as much is held.
	openAISound = 25
)

// clipTokens is the most model tokens that a piece of sound can count for: by its length, or the whole window where that is
// unknown. Not ok: nothing bounds it.
func (p *ModelPrice) clipTokens(c passport.Clip) (int64, bool) {
	seconds, known := c.Seconds.Get()
	switch {
	case p.AudioSecond > 0:
		return 0, known
	case p.InputAudio == 0:
		return 0, false
	case !known || p.Kind == passport.KindTranscription:
		return p.Context, p.Context > 0
	case p.Provider == passport.Google:
		return times(seconds, googleSound), true
	default:
		return times(seconds, openAISound), true
	}
}

// fixedOutput is the most that one answer of a model can have where a call cannot set a cap: OpenAI's models for other things
// than chat. Not ok: nothing bounds it.
func (p *ModelPrice) fixedOutput() (tokens int64, fixed, ok bool) {
	switch {
	case p.Kind == passport.KindEmbedding || p.Kind == passport.KindCount:
		return 0, true, true
	case p.Kind == passport.KindChat || p.Provider == passport.Google: // they take maxOutputTokens, images and sound included
		return 0, false, true
	case p.Kind == passport.KindImage:
		return imageMade, true, tabledImages(p.Model)
	case p.Kind == passport.KindTranscription && p.AudioSecond > 0:
		return 0, true, true
	case p.Kind == passport.KindTranscription: // developers.openai.com/api/docs/models/gpt-4o-transcribe: 2,000 max output tokens
		return 2_000, true, strings.HasPrefix(p.Model, "gpt-4o-transcribe") || strings.HasPrefix(p.Model, "gpt-4o-mini-transcribe")
	case p.Kind == passport.KindSpeech && p.Character > 0:
		return 0, true, true
	default: // gpt-4o-mini-tts: how long it speaks is its own to say
		return 0, true, false
	}
}
