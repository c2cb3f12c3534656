package gemini

import (
	"net/url"

	"github.com/devrelopers/aipassport/gateway/dialect"
	"github.com/devrelopers/aipassport/passport"
)

// Bounds of the pages of models (ai.google.dev/api/models, models.list: 50 if it is left out, and what is above 1,000 counts as that).
const (
	pageSize = 50
	pageMost = 1000
	pageAsk  = 1 << 31
)

// model is what is known here of type Model.
type model struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName"`
	InputLimit  int64    `json:"inputTokenLimit,omitempty"`
	OutputLimit int64    `json:"outputTokenLimit,omitempty"`
	Methods     []string `json:"supportedGenerationMethods"`
}

type modelPage struct {
	Models []model `json:"models"`
	Next   string  `json:"nextPageToken,omitempty"`
}

// Models is the answer to GET models: a page of the list. The token of the next page is the last id of this one.
func Models(all []dialect.Model, q url.Values) (any, error) {
	if err := only(q, "pageSize", "pageToken"); err != nil {
		return nil, err
	}
	size, err := dialect.Number(q, "pageSize", 0, pageAsk, pageSize)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		size = pageSize
	}
	part, more, err := dialect.Cursor{After: q.Get("pageToken"), AfterField: "pageToken", Size: min(size, pageMost)}.Page(all)
	if err != nil {
		return nil, err
	}
	page := modelPage{Models: []model{}}
	for _, m := range part {
		page.Models = append(page.Models, modelOf(m))
	}
	if more {
		page.Next = part[len(part)-1].ID
	}
	return page, nil
}

// Model is the answer to GET models/{model}.
func Model(m dialect.Model, q url.Values) (any, error) { return modelOf(m), only(q) }

// only is dialect.Only, and lets alt=json through.
func only(q url.Values, allowed ...string) error {
	if _, err := alt(dialect.Input{Query: url.Values{"alt": q["alt"], "$alt": q["$alt"]}}); err != nil {
		return err
	}
	return dialect.Only(q, append(allowed, "alt", "$alt")...)
}

func modelOf(m dialect.Model) model {
	methods := []string{Generate, Stream, CountTokens}
	if m.Kind == passport.KindEmbedding {
		methods = []string{Embed, BatchEmbed}
	}
	return model{Name: "models/" + m.ID, DisplayName: m.ID, InputLimit: m.Context, OutputLimit: m.MaxOutput, Methods: methods}
}
