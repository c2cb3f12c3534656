package gemini_test

import (
	"strings"
	"testing"

	"github.com/devrelopers/aipassport/gateway/dialect/dialecttest"
	"github.com/devrelopers/aipassport/passport"
)

// TestWhatIsSeenOfAStream: the input as soon as a chunk tells it, in either framing.
func TestWhatIsSeenOfAStream(t *testing.T) {
	stream, array := file(t, "stream.sse"), file(t, "stream_array.json")
	first := stream[:strings.Index(stream, "\r\n\r\n")+4]
	all := passport.Usage{Known: true, Input: 7, CacheRead: 3, Output: 29, Reasoning: 20}
	for _, c := range []struct {
		name, answer string
		plain, whole bool
		usage        passport.Usage
	}{
		{"recorded", stream, true, true, all},
		{"array", array, true, true, all},
		{"array that goes on", array[:strings.LastIndex(array, "]")], true, false, all},
		{"the first chunk", first, true, false, passport.Usage{Known: true, Input: 7}},
		{"nothing", "", true, false, passport.Usage{}},
		{"words behind the usage", first + `data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}]}` + "\r\n\r\n", true, false, passport.Usage{Known: true, Input: 7}},
		{"an error", first + `data: {"error":{"code":500}}` + "\r\n\r\n", false, false, passport.Usage{Known: true, Input: 7}},
		{"a chunk that cannot be read", first + "data: {\r\n\r\n", false, false, passport.Usage{Known: true, Input: 7}},
		{"another dear tier", strings.Replace(first, `"usageMetadata": {`, `"usageMetadata": {"serviceTier":"priority",`, 1), false, false, passport.Usage{}},
		{"array of something else", "[1," + array[1:], false, false, all},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := dialecttest.Counts(t, tap(t), []byte(c.answer))
			if s.Plain != c.plain || s.Whole != c.whole || s.Usage != c.usage {
				t.Errorf("got %+v, want plain %v, whole %v, %+v", s, c.plain, c.whole, c.usage)
			}
		})
	}
}
