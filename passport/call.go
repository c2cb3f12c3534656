package passport

// Call is what the gateway read of one request: what is wanted, and all that bounds its cost. It holds no prompt.
type Call struct {
	Provider  Provider
	Model     string
	Uses      []Capability // what the grant must allow; never empty for a call that was read
	Stream    bool
	BodyBytes int64 // bytes that go upstream, before an output cap is spliced in, as long as normalizing can make them; each text token covers at least one
	Parts     int64 // messages, tools and system parts: each costs a few template tokens
	MaxOutput Limit // model tokens of output that the caller allows for one answer; absent: the meter chooses
	Choices   int64 // answers asked for (n, candidateCount); at least 1
}

// Usage is what the provider says was consumed, in model tokens. The zero Usage is unknown, which costs the whole hold.
type Usage struct {
	Known        bool  // the provider said so, in full
	Input        int64 // all input, cache reads and writes included
	CacheRead    int64 // part of Input
	CacheWrite   int64 // part of Input, written for 5 minutes
	CacheWrite1h int64 // part of Input, written for an hour
	Output       int64 // all output, reasoning included
	Reasoning    int64 // part of Output; told, not priced apart
}

// Sane says whether the numbers can be true. Usage that is not sane is treated as unknown.
func (u Usage) Sane() bool {
	const most = 1 << 40
	for _, n := range []int64{u.Input, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.Output, u.Reasoning} {
		if n < 0 || n > most {
			return false
		}
	}
	return u.Known && u.CacheRead+u.CacheWrite+u.CacheWrite1h <= u.Input
}
