package passport

import "time"

// Kind is what a call asks of a model, as tariffs tell models apart.
type Kind string

// The kinds of calls. The empty Kind is none, and has no price.
const (
	KindChat          Kind = "chat"
	KindEmbedding     Kind = "embedding"
	KindImage         Kind = "image"         // makes images
	KindTranscription Kind = "transcription" // sound to text
	KindSpeech        Kind = "speech"        // text to sound
	KindCount         Kind = "count"         // how many model tokens a chat's prompt has: no model runs, nothing is billed
)

// Call is what the gateway read of one request: what is wanted, and all that bounds its cost. It holds no prompt.
type Call struct {
	Provider     Provider
	Kind         Kind
	Model        string
	Uses         []Capability // what the grant must allow; never empty for a call that was read
	Stream       bool
	BodyBytes    int64        // bytes that go upstream without those of images and sound, before an output cap is spliced in, as long as normalizing can make them; each text token covers at least one
	Parts        int64        // messages, tools and system parts: each costs a few template tokens; of embeddings the texts
	Images       []Image      // that are in the body
	Clips        []Clip       // that are in the body
	Hidden       bool         // more may be read than the body's bytes show, up to the model's window: earlier reasoning, encrypted
	Characters   int64        // of text that is to be read aloud, where that is billed by the character
	Searches     int64        // of the web, that the provider may make on its own; 0: none
	FileSearches int64        // of stored files; 0: none
	MaxOutput    Limit        // model tokens of output that the caller allows for one answer; absent: the meter chooses
	Clamp        bool         // with less money than MaxOutput costs, a lower cap is wanted rather than a refusal
	MinOutput    int64        // a lower cap than this makes no sense, since the call sets so much aside for thinking; 0: nothing said
	Choices      int64        // answers or images asked for (n, candidateCount); at least 1
	Claim        Claim        // of its Idempotency-Key; zero: none
	Credential   CredentialID // the key that will be lent for it; empty: the provider needs none
}

// Image is one image that a call shows to the model, as its own header has it.
type Image struct {
	Width, Height int64 // pixels, from 1
	Detail        Detailed
	Bytes         int64 // that it takes in the body, which BodyBytes leaves out
}

// Detailed is how closely an image is to be looked at, in OpenAI's words. Anything else is the model's default.
type Detailed string

// How closely OpenAI's models look (guide "Images and vision", the parameter detail).
const (
	DetailedAuto     Detailed = "auto"
	DetailedLow      Detailed = "low"
	DetailedHigh     Detailed = "high"
	DetailedOriginal Detailed = "original"
)

// Clip is one piece of sound that a call lets the model hear.
type Clip struct {
	Seconds Limit // at most, begun seconds counted; absent: its bytes do not tell
	Bytes   int64 // that it takes in the body, which BodyBytes leaves out
}

// Usage is what the provider says was consumed, in model tokens unless it says otherwise. The zero Usage is unknown, which costs
// the whole hold. A part that the provider did not tell apart is 0 and is priced with the rest of what it is part of.
type Usage struct {
	Known        bool  // the provider said so, in full
	Input        int64 // all input, cache reads and writes included
	CacheRead    int64 // part of Input
	CacheWrite   int64 // part of Input, written for 5 minutes
	CacheWrite1h int64 // part of Input, written for an hour
	InputAudio   int64 // part of Input: sound, cached or not
	InputImage   int64 // part of Input: images, cached or not
	CacheAudio   int64 // part of CacheRead and of InputAudio
	CacheImage   int64 // part of CacheRead and of InputImage
	Output       int64 // all output, reasoning included
	Reasoning    int64 // part of Output
	OutputAudio  int64 // part of Output
	OutputImage  int64 // part of Output
	Searches     int64 // searches of the web that the provider made
	FileSearches int64 // searches of stored files that the provider made
	AudioSeconds int64 // sound, where it is billed by its length; begun seconds count
	Told         Money // what a reseller says that it takes for all of it; 0: it does not say
}

// Sane says whether the numbers can be true. Usage that is not sane is treated as unknown.
func (u Usage) Sane() bool {
	const most = 1 << 40
	for _, n := range []int64{u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.InputAudio, u.InputImage, u.CacheAudio, u.CacheImage,
		u.Output, u.Reasoning, u.OutputAudio, u.OutputImage, u.Searches, u.FileSearches, u.AudioSeconds} {
		if n < 0 || n > most {
			return false
		}
	}
	return u.Known && u.Told >= 0 && u.Told <= MaxMoney && u.PlainText() >= 0 && u.CacheAudio+u.CacheImage <= u.CacheRead &&
		u.CacheAudio <= u.InputAudio && u.CacheImage <= u.InputImage && u.Reasoning+u.OutputAudio+u.OutputImage <= u.Output
}

// PlainText is the input that was neither cached nor sound nor image.
func (u Usage) PlainText() int64 {
	return u.Input - u.CacheRead - u.CacheWrite - u.CacheWrite1h - (u.InputAudio - u.CacheAudio) - (u.InputImage - u.CacheImage)
}

// Seen is what had passed of a streamed answer when it was cut: enough to bound what the provider counts. The zero Seen is an
// answer of which nothing is understood; it costs the whole hold.
type Seen struct {
	Plain  bool          // all of it was understood, and no output is counted whose bytes do not come: hidden thinking, sound, images
	Usage  Usage         // what the provider had said by then: Known once it has told the input; Output is what it had counted so far
	Bytes  int64         // of text and tool calls; each model token of output that came is at least one
	Unseen time.Duration // for how long before the cut the provider may have made output that did not come
	Whole  bool          // the end mark had passed, so that nothing more was to come
}
