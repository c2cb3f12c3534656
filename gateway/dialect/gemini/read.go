package gemini

import (
	"slices"
	"strings"

	"github.com/devrelopers/aipassport/gateway/dialect/media"
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/passport"
)

// maxChoices bounds candidateCount (type GenerationConfig: up to 8).
const maxChoices = 8

// request is what is read of a body, and where.
type request struct {
	contents bool // there, even if empty
	parts    int64
	choices  int64
	max      passport.Limit
	maxAt    strict.Edit // in the place of its value
	thinking int64       // budget of thoughts, which count as output
	hears    bool
	found    media.Found

	open        int // behind the brace that opens the body
	config      int // behind the brace that opens generationConfig
	configEmpty bool
	configNull  strict.Edit
	maxNull     strict.Edit
}

// reader reads the value of one member.
type reader func() error

// members reads an object whose names find knows; a null is as good as nothing.
func members(b *strict.Reader, find func(name string) reader) error {
	return b.Object(func(name string) error {
		read := find(name)
		switch {
		case read == nil:
			return unknown(b, name, find)
		case b.Null():
			return nil
		default:
			return read()
		}
	})
}

// unknown refuses a name, and says why if it can.
func unknown(b *strict.Reader, name string, find func(name string) reader) error {
	if camel := camelCase(name); camel != name && (find(camel) != nil || refused[camel] != "") {
		return b.Refuse("must be spelled %s", camel)
	}
	if why := refused[name]; why != "" {
		return b.Refuse("%s", why)
	}
	return b.Unknown()
}

// camelCase is the JSON name of a protocol buffer's field.
func camelCase(name string) string {
	var out strings.Builder
	up := false
	for _, c := range []byte(name) {
		switch {
		case c == '_':
			up = true
			continue
		case up && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		out.WriteByte(c)
	}
	return out.String()
}

const (
	hosted  = "hosted tools cannot be priced: how much they do and read in one call is not bounded"
	remote  = "only images and sound in the body itself (inlineData) are allowed: how large what lies elsewhere is is not known before it was billed"
	video   = "video cannot be priced: its bytes do not tell how long it is"
	made    = "images and speech that a model makes have no endpoint here yet"
	nested  = "images and files in a function's response are not priced yet; send them as parts of their own"
	shared  = "stored objects of all apps lie under one key, so they are not allowed"
	another = "routing would answer with another model than the one that was checked"
)

// refused says why a field that Google knows may not go through. A search of the web with Google is billed by the query from Gemini
// 3 on, of which no field bounds the number (ai.google.dev/gemini-api/docs/google-search, Pricing).
var refused = map[string]string{
	"cachedContent": shared, "labels": "labels are the owner's, not an app's", "serviceTier": "only the standard tier is priced; leave it out",
	"store":    "only the owner decides on logging; leave it out",
	"fileData": remote, "videoMetadata": video, "speechConfig": made, "imageConfig": made,
	"audioTimestamp": video, "audioTranscription": made, "audioTranscriptionConfig": made,
	"executableCode": hosted, "codeExecutionResult": hosted, "toolCall": hosted, "toolResponse": hosted,
	"googleSearch": "hosted tools cannot be priced: each search has a price, and how many the model makes is not bounded", "googleSearchRetrieval": hosted,
	"codeExecution": hosted, "urlContext": hosted, "googleMaps": hosted,
	"fileSearch": hosted, "computerUse": hosted, "enterpriseWebSearch": hosted, "retrieval": hosted, "mcpServers": hosted,
	"parallelAiSearch": hosted, "exaAiSearch": hosted, "retrievalConfig": hosted, "includeServerSideToolInvocations": hosted,
	"enableEnhancedCivicAnswers": hosted, "continuationToken": "continuations are not priced, so they are not allowed",
	"routingConfig": another, "modelSelectionConfig": another,
	"model": "the model is named in the path",
}

// read reads the body.
func (r *request) read(b *strict.Reader) error {
	seen := false
	return b.Object(func(name string) error {
		if !seen {
			r.open, seen = b.End()-len(name)-2, true // its quotes are plain: a name has no escapes
		}
		return r.member(b, name)
	})
}

func (r *request) member(b *strict.Reader, name string) error {
	find := func(name string) reader {
		switch name {
		case "contents":
			return func() error {
				r.contents = true
				return b.Array(func() error { r.parts++; return r.content(b) })
			}
		case "systemInstruction":
			return func() error { r.parts++; return r.content(b) }
		case "generationConfig":
			return func() error { return r.generationConfig(b) }
		case "tools":
			return func() error { return b.Array(func() error { return r.tool(b) }) }
		case "toolConfig":
			return func() error { return toolConfig(b) }
		case "safetySettings":
			return func() error { return b.Array(func() error { return words(b, "category", "threshold", "method") }) }
		default:
			return nil
		}
	}
	read := find(name)
	if read == nil {
		return unknown(b, name, find)
	}
	at := b.Begin()
	if !b.Null() {
		return read()
	}
	if name == "generationConfig" {
		r.configNull = strict.Edit{At: at, Cut: b.End() - at}
	}
	return nil
}

// generationConfig reads the sampling parameters, the output cap and the number of answers.
func (r *request) generationConfig(b *strict.Reader) error {
	r.config, r.configEmpty = b.Begin()+1, true
	find := func(name string) reader {
		switch name {
		case "maxOutputTokens":
			return func() error {
				at := b.Begin()
				n, err := b.Int(1, strict.MaxOutput)
				r.max, r.maxAt = passport.LimitOf(n), strict.Edit{At: at, Cut: b.End() - at}
				return err
			}
		case "candidateCount":
			return func() (err error) { r.choices, err = b.Int(1, maxChoices); return err }
		case "temperature", "topP", "topK", "presencePenalty", "frequencyPenalty", "seed", "logprobs":
			return b.Number
		case "responseLogprobs":
			return func() error { _, err := b.Bool(); return err }
		case "stopSequences":
			return b.Strings
		case "responseMimeType":
			return func() error { _, err := b.OneOf("text/plain", "application/json", "text/x.enum"); return err }
		case "responseSchema":
			return b.AnyObject
		case "responseJsonSchema":
			return b.Any
		case "responseModalities":
			return func() error { return b.Array(func() error { _, err := b.OneOf("TEXT"); return err }) }
		case "mediaResolution":
			return func() error {
				_, err := b.OneOf("MEDIA_RESOLUTION_UNSPECIFIED", "MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH")
				return err
			}
		case "thinkingConfig":
			return func() error { return r.thinkingConfig(b) }
		default:
			return nil
		}
	}
	return b.Object(func(name string) error {
		r.configEmpty = false
		read := find(name)
		if read == nil {
			return unknown(b, name, find)
		}
		at := b.Begin()
		if !b.Null() {
			return read()
		}
		if name == "maxOutputTokens" {
			r.maxNull = strict.Edit{At: at, Cut: b.End() - at}
		}
		return nil
	})
}

// slot is where an output cap goes: in the place of a null, into a config that is there, or with a config of its own.
func (r *request) slot() strict.Slot {
	const name = `"maxOutputTokens":`
	switch {
	case r.maxNull.Cut > 0:
		return strict.Slot{Edit: r.maxNull}
	case r.configNull.Cut > 0:
		e := r.configNull
		e.Text = "{" + name
		return strict.Slot{Edit: e, After: "}"}
	case r.config > 0 && r.configEmpty:
		return strict.Slot{Edit: strict.Edit{At: r.config, Text: name}}
	case r.config > 0:
		return strict.Slot{Edit: strict.Edit{At: r.config, Text: name}, After: ","}
	default:
		return strict.Slot{Edit: strict.Edit{At: r.open, Text: `"generationConfig":{` + name}, After: "},"}
	}
}

// uses is what the grant must allow.
func (r *request) uses() []passport.Capability {
	if r.hears {
		return []passport.Capability{passport.Chat, passport.Audio}
	}
	return []passport.Capability{passport.Chat}
}

func (r *request) thinkingConfig(b *strict.Reader) error {
	return members(b, func(name string) reader {
		switch name {
		case "includeThoughts":
			return func() error { _, err := b.Bool(); return err }
		case "thinkingBudget":
			return func() (err error) { r.thinking, err = b.Int(-1, strict.MaxOutput); return err }
		case "thinkingLevel":
			return b.Text
		default:
			return nil
		}
	})
}

// words reads an object whose members are texts.
func words(b *strict.Reader, allowed ...string) error {
	return members(b, func(name string) reader {
		if slices.Contains(allowed, name) {
			return b.Text
		}
		return nil
	})
}
