package openai

import (
	"net/url"

	"github.com/devrelopers/aipassport/gateway/dialect"
)

// model is type Model of openai-go. When a model was made is not known here, so created is 0.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

type modelList struct {
	Object string  `json:"object"`
	Data   []model `json:"data"`
}

// Models is the answer to GET /v1/models. It has no pages. codex says which version it is (client_version), which changes nothing here.
func Models(all []dialect.Model, q url.Values) (any, error) {
	if err := dialect.Only(q, "client_version"); err != nil {
		return nil, err
	}
	list := modelList{"list", []model{}}
	for _, m := range all {
		list.Data = append(list.Data, modelOf(m))
	}
	return list, nil
}

// Model is the answer to GET /v1/models/{id}.
func Model(m dialect.Model, q url.Values) (any, error) {
	return modelOf(m), dialect.Only(q)
}

func modelOf(m dialect.Model) model {
	return model{ID: m.ID, Object: "model", OwnedBy: string(m.Provider)}
}
