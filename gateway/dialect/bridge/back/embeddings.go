package back

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// embeddings turns Google's answer of embedContent or batchEmbedContents into OpenAI's list (type CreateEmbeddingResponse of openai-go).
// Where Google does not tell how much the input was, the usage says 0; what the call cost is in a header.
func embeddings(data []byte, info Info) ([]byte, error) {
	type vector struct {
		Values []jsontext.Value `json:"values"`
	}
	var a struct {
		Embedding  *vector      `json:"embedding"`
		Embeddings []vector     `json:"embeddings"`
		Usage      googleUsage  `json:"usageMetadata"`
		Error      *googleError `json:"error"`
	}
	if err := read(data, &a); err != nil {
		return nil, err
	}
	if a.Embedding != nil {
		a.Embeddings = append(a.Embeddings, *a.Embedding)
	}
	if a.Error != nil || len(a.Embeddings) == 0 {
		return nil, broken("it has no embeddings")
	}
	type item struct {
		Object    string         `json:"object"`
		Index     int            `json:"index"`
		Embedding jsontext.Value `json:"embedding"`
	}
	type used struct {
		Prompt int64 `json:"prompt_tokens"`
		Total  int64 `json:"total_tokens"`
	}
	list := struct {
		Object string `json:"object"`
		Data   []item `json:"data"`
		Model  string `json:"model"`
		Usage  used   `json:"usage"`
	}{Object: "list", Model: info.Model, Usage: used{a.Usage.Prompt, a.Usage.Prompt}}
	for i, v := range a.Embeddings {
		if slices.ContainsFunc(v.Values, func(n jsontext.Value) bool { return n.Kind() != '0' }) {
			return nil, broken("a number of an embedding is none")
		}
		e := jsontext.Value(encode(v.Values))
		if info.Base64 {
			packed, err := pack(v.Values)
			if err != nil {
				return nil, err
			}
			e = encode(packed)
		}
		list.Data = append(list.Data, item{"embedding", i, e})
	}
	return encode(list), nil
}

// pack writes numbers as OpenAI does for encoding_format base64: float32, little-endian.
func pack(values []jsontext.Value) (string, error) {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		var f float32
		if err := json.Unmarshal(v, &f); err != nil {
			return "", broken("a number of an embedding is beyond float32")
		}
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(b), nil
}
