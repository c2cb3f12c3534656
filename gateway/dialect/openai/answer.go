package openai

import (
	"bytes"

	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/gateway/dialect/tap"
	"github.com/devrelopers/aipassport/passport"
)

// answer reads the usage of one chat completion, whole or streamed (type CompletionUsage of openai-go). A stream is complete
// only after data: [DONE].
type answer struct {
	use   usage
	done  bool
	text  int64 // bytes of what the model said in a stream
	other bool  // something else than chunks of text and tool calls came, or thinking was asked for
}

var (
	delta   = []byte(`"delta":`)
	nothing = []byte(`"choices":[]`)
)

// Event takes one chunk. The usage chunk, which has usage and no choices, is to be hidden from a caller who did not ask for it.
func (a *answer) Event(data []byte) bool {
	if string(bytes.TrimSpace(data)) == "[DONE]" {
		a.done = true
		return false
	}
	n, said := tap.Text(data, delta)
	a.text += n
	a.use.late = a.use.late || n > 0 && a.use.there // what an earlier chunk told is not all, unless this one tells again
	a.other = a.other || !said && !bytes.Contains(data, nothing)
	if !tells(data) {
		return false // most chunks: not worth a parse
	}
	c := chunk{use: a.use.blank()}
	if strict.Read(data, c.read) != nil {
		a.use, a.other = a.use.blank(), true // servers that tell usage in every chunk: what an earlier one said is not all
		return false
	}
	if !c.use.there {
		return false
	}
	c.use.less = a.use.less || a.use.there && (c.use.prompt < a.use.prompt || c.use.completion < a.use.completion)
	a.use = c.use
	return c.choices == 0
}

var (
	usageName = []byte(`"usage"`)
	isNull    = []byte(":null")
)

// tells says whether an event may have a usage other than null.
func tells(event []byte) bool {
	for {
		i := bytes.Index(event, usageName)
		if i < 0 {
			return false
		}
		if event = event[i+len(usageName):]; !bytes.HasPrefix(event, isNull) {
			return true
		}
	}
}

// Whole takes a completion that is not streamed.
func (a *answer) Whole(data []byte) {
	c := chunk{use: a.use.blank()}
	if strict.Read(data, c.read) != nil {
		return
	}
	a.use, a.done = c.use, true
}

// Usage is what the provider said last, if it said it in full.
func (a *answer) Usage() passport.Usage {
	if !a.done {
		return passport.Usage{}
	}
	return a.use.passport()
}

// Seen is what passed of a stream. Its input is told with its output, at the end.
func (a *answer) Seen() passport.Seen {
	use := a.use
	use.late = false // what was told is used in any case
	return passport.Seen{Plain: !a.other && !use.dear && !use.less, Usage: use.passport(), Bytes: a.text, Whole: a.done}
}

// chunk is what is read of a completion or a piece of one.
type chunk struct {
	use     usage
	choices int64
	tier    string
}

func (c *chunk) read(b *strict.Reader) error {
	err := b.Object(func(name string) (err error) {
		switch {
		case b.Null():
			return nil
		case name == "choices":
			return b.Array(func() error { c.choices++; return b.Any() })
		case name == "usage":
			return c.use.read(b)
		case name == "service_tier":
			c.tier, err = b.String()
			return err
		default:
			return b.Any()
		}
	})
	c.use.dear = c.use.dear || dearTier(c.tier)
	return err
}

// usage is the usage object. Numbers that were not there are -1.
type usage struct {
	there                      bool
	prompt, completion         int64
	cached, written, reasoning int64
	hits                       int64 // cached, by another name
	audio, image, spoken       int64 // of the prompt, of the prompt, of the completion
	dear                       bool  // served in a tier that we asked not to be in, whose price we do not have
	late                       bool  // text came after it
	less                       bool  // a later one told less than an earlier one
	beside                     bool  // reasoning is counted beside the completion, unless the total says otherwise
	total                      int64 // prompt and completion together; -1: not told
	sold                       bool  // a reseller tells what it takes
	told                       int64 // that, in micro-dollars
}

// blank is a usage of the same server that tells nothing.
func (u usage) blank() usage { return usage{beside: u.beside, sold: u.sold} }

// most bounds a number that can be true.
const most = 1 << 40

func (u *usage) read(b *strict.Reader) error {
	*u = usage{there: true, prompt: -1, completion: -1, total: -1, beside: u.beside, sold: u.sold}
	err := b.Object(func(name string) (err error) {
		switch {
		case b.Null():
		case name == "total_tokens" && u.beside:
			u.total, err = b.Int(0, most)
		case name == "cost" && u.sold: // in credits of a dollar (openrouter.ai/docs/use-cases/usage-accounting)
			u.told, err = b.Micro(int64(passport.MaxMoney))
		case name == "prompt_cache_hit_tokens": // DeepSeek's word (api-docs.deepseek.com/guides/kv_cache)
			u.hits, err = b.Int(0, most)
		case name == "prompt_tokens":
			u.prompt, err = b.Int(0, most)
		case name == "completion_tokens":
			u.completion, err = b.Int(0, most)
		case name == "prompt_tokens_details":
			return details(b, map[string]*int64{"cached_tokens": &u.cached, "cache_write_tokens": &u.written, "audio_tokens": &u.audio, "image_tokens": &u.image})
		case name == "completion_tokens_details":
			return details(b, map[string]*int64{"reasoning_tokens": &u.reasoning, "audio_tokens": &u.spoken})
		default:
			return b.Any()
		}
		return err
	})
	u.cached = max(u.cached, u.hits)
	if u.beside && u.completion >= 0 && u.total != u.prompt+u.completion {
		u.completion += u.reasoning
	}
	return err
}

func details(b *strict.Reader, into map[string]*int64) error {
	return b.Object(func(name string) (err error) {
		n, ok := into[name]
		switch {
		case b.Null():
		case ok:
			*n, err = b.Int(0, most)
		default:
			return b.Any()
		}
		return err
	})
}

// passport is the usage as the meter wants it: unknown if a number that prices something is missing, or if something was used
// that we have no price for. What of the sound and the images was cached is not told: text was, as far as there was any.
func (u usage) passport() passport.Usage {
	if !u.there || u.prompt < 0 || u.completion < 0 || u.dear || u.late || u.less {
		return passport.Usage{}
	}
	beyond := max(0, u.cached+u.written-max(0, u.prompt-u.audio-u.image)) // more was cached than there is text
	cachedImage := min(beyond, u.image)
	return passport.Usage{Known: true, Input: u.prompt, CacheRead: u.cached, CacheWrite: u.written, InputAudio: u.audio, InputImage: u.image,
		CacheAudio: beyond - cachedImage, CacheImage: cachedImage, Output: u.completion, Reasoning: u.reasoning, OutputAudio: u.spoken, Told: passport.Money(u.told)}
}

// Ended says whether [DONE] has passed.
func (a *answer) Ended() bool { return a.done }
