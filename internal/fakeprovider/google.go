package fakeprovider

import (
	"fmt"
	"strings"
)

// count is the answer to a count: type MessageTokensCount of anthropic-sdk-go, or CountTokensResponse of genai.
func (r reply) count(d dialect) []byte {
	if d == anthropic {
		return fmt.Appendf(nil, `{"input_tokens":%d}`, r.tokens.Input)
	}
	return fmt.Appendf(nil, `{"totalTokens":%d,"promptTokensDetails":[{"modality":"TEXT","tokenCount":%d}]}`, r.tokens.Input, r.tokens.Input)
}

// googleEmbeddings is the answer of ai.google.dev/api/embeddings: to one content, or to a list.
func (r reply) googleEmbeddings() []byte {
	usage := `,"usageMetadata":` + r.usageOr(fmt.Sprintf(`{"promptTokenCount":%d,"promptTokenDetails":[{"modality":"TEXT","tokenCount":%d}]}`, r.tokens.Input, r.tokens.Input))
	if r.usage == "-" {
		usage = ""
	}
	const vector = `{"values":[0.25,-0.5,0.125]}`
	if r.ask.op == opEmbed {
		return []byte(`{"embedding":` + vector + usage + `}`)
	}
	return []byte(`{"embeddings":[` + vector + strings.Repeat(","+vector, int(r.ask.inputs)-1) + `]` + usage + `}`)
}
