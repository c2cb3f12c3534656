package anthropic

import (
	"net/url"

	"github.com/devrelopers/aipassport/gateway/dialect"
)

// Bounds of the pages of models (page "List Models").
const (
	pageSize = 20
	pageMost = 1000
)

// released stands for a day that is not known: the epoch, as type ModelInfo of anthropic-sdk-go says.
const released = "1970-01-01T00:00:00Z"

// model is type ModelInfo. What is not known here, the stage of its life and the list of what it can, is null or left out.
type model struct {
	Type           string  `json:"type"`
	ID             string  `json:"id"`
	DisplayName    string  `json:"display_name"`
	CreatedAt      string  `json:"created_at"`
	MaxInputTokens *int64  `json:"max_input_tokens"`
	MaxTokens      *int64  `json:"max_tokens"`
	Capabilities   *string `json:"capabilities"` // always null
}

type modelPage struct {
	Data    []model `json:"data"`
	HasMore bool    `json:"has_more"`
	FirstID *string `json:"first_id"`
	LastID  *string `json:"last_id"`
}

// Models is the answer to GET /v1/models: a page of the list, in the list's own order, since days of release are not known.
func Models(all []dialect.Model, q url.Values) (any, error) {
	if err := dialect.Only(q, "limit", "after_id", "before_id", "beta"); err != nil {
		return nil, err
	}
	size, err := dialect.Number(q, "limit", 1, pageMost, pageSize)
	if err != nil {
		return nil, err
	}
	cursor := dialect.Cursor{After: q.Get("after_id"), AfterField: "after_id", Before: q.Get("before_id"), BeforeField: "before_id", Size: size}
	part, more, err := cursor.Page(all)
	if err != nil {
		return nil, err
	}
	page := modelPage{Data: []model{}, HasMore: more}
	for _, m := range part {
		page.Data = append(page.Data, modelOf(m))
	}
	if n := len(page.Data); n > 0 {
		page.FirstID, page.LastID = &page.Data[0].ID, &page.Data[n-1].ID
	}
	return page, nil
}

// Model is the answer to GET /v1/models/{id}.
func Model(m dialect.Model, q url.Values) (any, error) {
	return modelOf(m), dialect.Only(q, "beta")
}

func modelOf(m dialect.Model) model {
	known := func(n int64) *int64 {
		if n == 0 {
			return nil
		}
		return &n
	}
	return model{Type: "model", ID: m.ID, DisplayName: m.ID, CreatedAt: released, MaxInputTokens: known(m.Context), MaxTokens: known(m.MaxOutput)}
}
