package gemini

import (
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/passport"
)

// answer reads usageMetadata, whole or streamed (type GenerateContentResponseUsageMetadata of genai). Every chunk of a stream may
// have it; the last one counts. Google has no end mark: a stream is complete when as many answers have a finishReason as have
// appeared, or the prompt was blocked, and the stream then ended.
type answer struct {
	use      usage
	told     usage          // the last one, whatever came after it
	open     map[int64]bool // answers by index: whether they still go on
	blocked  bool
	finished bool
	odd      bool // a chunk that could not be read, or an error in the middle
}

// Event takes one chunk. Nothing is hidden.
func (a *answer) Event(data []byte) bool {
	c := chunk{open: map[int64]bool{}}
	if strict.Read(data, c.read) != nil || c.fault {
		a.odd = true
		return false
	}
	if c.use.there && a.told.there {
		c.use.total = max(c.use.total, a.told.total) // totals do not shrink
	}
	if c.use.there || c.spoke {
		a.use = c.use // words without usage: what an earlier chunk told is not all
	}
	if c.use.there {
		a.told = c.use
	}
	a.blocked = a.blocked || c.blocked
	for i, on := range c.open {
		if a.open == nil {
			a.open = map[int64]bool{}
		}
		was, known := a.open[i]
		a.open[i] = on && (!known || was)
	}
	return false
}

// Whole takes an answer that is not streamed; it is complete when it is good JSON.
func (a *answer) Whole(data []byte) { a.Event(data); a.finished = true }

// Usage is what Google said last, if the answer came to its end.
func (a *answer) Usage() passport.Usage {
	if a.odd || !a.whole() {
		return passport.Usage{}
	}
	return a.use.passport()
}

func (a *answer) whole() bool {
	for _, on := range a.open {
		if on && !a.finished {
			return false
		}
	}
	return a.finished || a.blocked || len(a.open) > 0
}

// Seen is what passed of a stream. Its bytes are not counted: Google goes on without its caller and bills what it makes.
func (a *answer) Seen() passport.Seen {
	return passport.Seen{Plain: !a.odd && !a.told.odd, Usage: a.told.passport(), Whole: a.whole()}
}

// maxIndex bounds the index of an answer.
const maxIndex = 1000

// chunk is what is read of an answer or a piece of one.
type chunk struct {
	use     usage
	open    map[int64]bool
	spoke   bool // an answer went on
	blocked bool
	fault   bool
}

func (c *chunk) read(b *strict.Reader) error {
	return b.Object(func(name string) error {
		switch {
		case b.Null():
			return nil
		case name == "usageMetadata":
			return c.use.read(b)
		case name == "candidates":
			return b.Array(func() error { return c.candidate(b) })
		case name == "promptFeedback":
			return b.Object(func(name string) error {
				c.blocked = c.blocked || name == "blockReason"
				return b.Any()
			})
		case name == "error":
			c.fault = true
			return b.Any()
		default:
			return b.Any()
		}
	})
}

func (c *chunk) candidate(b *strict.Reader) error {
	index, on := int64(0), true
	err := b.Object(func(name string) (err error) {
		switch {
		case b.Null():
			return nil
		case name == "index":
			index, err = b.Int(0, maxIndex)
			return err
		case name == "finishReason":
			on = false
			return b.Text()
		case name == "content" && b.Next() == '{':
			return b.Object(func(name string) error {
				if name != "parts" || b.Next() != '[' {
					return b.Any()
				}
				return b.Array(func() error { c.spoke = true; return b.Any() })
			})
		default:
			return b.Any()
		}
	})
	c.open[index] = on
	return err
}

// usage is the usage object. total is -1 where it was not told; other numbers that are missing are 0, as in protocol buffers.
type usage struct {
	there                                             bool
	prompt, answers, thoughts, cached, toolUse, total int64
	in, out, kept                                     modalities // of prompt and toolUse, of answers, of cached
	odd                                               bool       // something that we have no price for: a tier, or video
}

// modalities is how many tokens of a number were sound and images. What is not told is text.
type modalities struct{ audio, image int64 }

// most bounds a number that can be true.
const most = 1 << 40

func (u *usage) read(b *strict.Reader) error {
	*u = usage{there: true, prompt: -1, total: -1}
	return b.Object(func(name string) (err error) {
		if b.Null() {
			return nil
		}
		switch name {
		case "promptTokenCount":
			u.prompt, err = b.Int(0, most)
		case "candidatesTokenCount":
			u.answers, err = b.Int(0, most)
		case "thoughtsTokenCount":
			u.thoughts, err = b.Int(0, most)
		case "cachedContentTokenCount":
			u.cached, err = b.Int(0, most)
		case "toolUsePromptTokenCount":
			u.toolUse, err = b.Int(0, most)
		case "totalTokenCount":
			u.total, err = b.Int(0, most)
		case "promptTokensDetails", "toolUsePromptTokensDetails", "promptTokenDetails": // the last of an embedding
			return u.details(b, &u.in)
		case "candidatesTokensDetails":
			return u.details(b, &u.out)
		case "cacheTokensDetails":
			return u.details(b, &u.kept)
		case "serviceTier":
			tier, err := b.String()
			u.odd = u.odd || tier == "priority"
			return err
		default:
			return b.Any()
		}
		return err
	})
}

// details adds a list of counts by modality (type ModalityTokenCount of genai). Pages of documents are billed as images.
func (u *usage) details(b *strict.Reader, into *modalities) error {
	return b.Array(func() error {
		kind, n := "", int64(0)
		err := b.Object(func(name string) (err error) {
			switch {
			case b.Null():
			case name == "modality":
				kind, err = b.String()
			case name == "tokenCount":
				n, err = b.Int(0, most)
			default:
				return b.Any()
			}
			return err
		})
		switch kind {
		case "TEXT":
		case "AUDIO":
			into.audio = min(into.audio+n, most)
		case "IMAGE", "DOCUMENT":
			into.image = min(into.image+n, most)
		default: // VIDEO, and what is added later
			u.odd = u.odd || n > 0
		}
		return err
	})
}

// passport is the usage as the meter wants it. What the total has beyond the parts that were told is taken for output, which is
// the dearer.
func (u usage) passport() passport.Usage {
	if !u.there || u.prompt < 0 || u.total < 0 || u.odd {
		return passport.Usage{}
	}
	input := u.prompt + u.toolUse
	return passport.Usage{Known: true, Input: input, CacheRead: u.cached, InputAudio: u.in.audio, InputImage: u.in.image,
		CacheAudio: u.kept.audio, CacheImage: u.kept.image, Output: max(u.answers+u.thoughts, u.total-input), Reasoning: u.thoughts,
		OutputAudio: u.out.audio, OutputImage: u.out.image}
}
