package passport

import "strings"

// Preset is a kind of server that speaks OpenAI's dialect, with what is known of how it differs.
type Preset string

// Other is any server that is not listed.
const Other Preset = "other"

// Quirks is how a server differs from OpenAI.
type Quirks struct {
	CapName        string // of the output cap: max_tokens or max_completion_tokens
	NoUsageOption  bool   // it refuses stream_options, and tells the usage of a stream unasked
	ThinkingBeside bool   // the model tokens of reasoning are not part of those of the completion
	BoundByPrice   bool   // it picks among sellers, and takes the highest price to pay with the call
}

// PresetInfo is what is known of a preset.
type PresetInfo struct {
	Preset Preset
	Title  string
	Base   string // empty: each owner has their own
	Hint   string // what has to be put into Base
	Auth   Auth
	Local  bool
	Quirks Quirks
}

const (
	oldCap = "max_tokens"
	newCap = "max_completion_tokens"
)

// Presets lists them in the order in which pages show them. Each base URL is the one of the page named beside it.
//
//   - Mistral refuses members it does not know, max_completion_tokens and stream_options among them, with 422
//     (github.com/editor-code-assistant/eca/issues/231, github.com/BerriAI/litellm/issues/8978); its streams end with the usage
//     (github.com/mistralai/client-python/issues/40).
//   - Cohere refuses stream_options (strandsagents.com/docs/user-guide/concepts/model-providers/cohere).
//   - xAI counts reasoning beside the completion (docs.x.ai/docs/key-information/consumption-and-rate-limits; numbers in
//     github.com/vercel/ai/pull/12425); its cap covers both (an answer cut at 1,187 and 860 in github.com/evalstate/fast-agent/pull/276).
//   - OpenRouter picks among sellers of a model, and takes provider.max_price (openrouter.ai/docs/guides/routing/provider-selection).
//   - Groq's SDK calls max_tokens old (github.com/groq/groq-python, chat/completions.py); Ollama knows no other (docs.ollama.com/api/openai-compatibility).
var Presets = []PresetInfo{
	{"mistral", "Mistral", "https://api.mistral.ai/v1", "", AuthBearer, false, Quirks{CapName: oldCap, NoUsageOption: true}},            // docs.mistral.ai/api
	{"groq", "Groq", "https://api.groq.com/openai/v1", "", AuthBearer, false, Quirks{CapName: newCap}},                                  // console.groq.com/docs/openai
	{"deepseek", "DeepSeek", "https://api.deepseek.com/v1", "", AuthBearer, false, Quirks{CapName: oldCap}},                             // api-docs.deepseek.com
	{"xai", "xAI", "https://api.x.ai/v1", "", AuthBearer, false, Quirks{CapName: newCap, ThinkingBeside: true}},                         // docs.x.ai/docs/api-reference
	{"openrouter", "OpenRouter", "https://openrouter.ai/api/v1", "", AuthBearer, false, Quirks{CapName: oldCap, BoundByPrice: true}},    // openrouter.ai/docs/quickstart
	{"together", "Together", "https://api.together.xyz/v1", "", AuthBearer, false, Quirks{CapName: oldCap}},                             // docs.together.ai/docs/openai-api-compatibility
	{"cohere", "Cohere", "https://api.cohere.ai/compatibility/v1", "", AuthBearer, false, Quirks{CapName: oldCap, NoUsageOption: true}}, // docs.cohere.com/docs/compatibility-api
	{"azure", "Azure OpenAI", "", "https://YOUR-RESOURCE.openai.azure.com/openai/v1", AuthAPIKey, false, Quirks{CapName: newCap}},       // learn.microsoft.com/azure/foundry/openai/api-version-lifecycle
	{"ollama", "Ollama", "http://localhost:11434/v1", "", AuthNone, true, Quirks{CapName: oldCap}},                                      // docs.ollama.com/api/openai-compatibility
	{"vllm", "vLLM", "http://localhost:8000/v1", "", AuthNone, true, Quirks{CapName: oldCap}},                                           // docs.vllm.ai/en/latest/serving/openai_compatible_server.html
	{"lmstudio", "LM Studio", "http://localhost:1234/v1", "", AuthNone, true, Quirks{CapName: oldCap}},                                  // lmstudio.ai/docs/api/openai-api
	{Other, "Another server", "", "https://models.example.com/v1", AuthBearer, false, Quirks{CapName: oldCap}},
}

// Info is what is known of p. The empty Preset, and one that is not listed, has no quirks that could be relied on: not ok.
func (p Preset) Info() (PresetInfo, bool) {
	for _, i := range Presets {
		if i.Preset == p {
			return i, true
		}
	}
	return PresetInfo{}, false
}

// Known says whether p is listed.
func (p Preset) Known() bool { _, ok := p.Info(); return ok }

func joinPresets() string {
	names := make([]string, len(Presets))
	for i, p := range Presets {
		names[i] = string(p.Preset)
	}
	return strings.Join(names, ", ")
}
