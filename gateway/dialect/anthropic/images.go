package anthropic

import (
	"github.com/devrelopers/aipassport/gateway/dialect/strict"
	"github.com/devrelopers/aipassport/passport"
)

// source reads the source of an image: in the body itself. One that lies elsewhere has a size that nobody knows before it was billed.
func (r *request) source(b *strict.Reader) error {
	var raw []byte
	var at int
	kind, mime := "", ""
	err := b.Object(func(name string) (err error) {
		switch name {
		case "type":
			kind, err = b.String()
			if err == nil && kind != "base64" {
				return b.Refuse("only images in the body itself are allowed (type base64): how large one at an address or in a file is is not known before it was billed")
			}
		case "media_type":
			mime, err = b.String()
		case "data":
			raw, at, err = b.Data()
		default:
			return b.Refuse("only images in the body itself are allowed: type base64, media_type and data")
		}
		return err
	})
	if err != nil {
		return err
	}
	if kind == "" {
		return b.RefuseAt("type", "a source has a type")
	}
	if err := r.found.Image(raw, at, mime, passport.DetailedAuto, imageFormats...); err != nil {
		return b.RefuseAt("data", "%v", err)
	}
	return nil
}

// imageFormats are those that Claude takes (page "Images and vision").
var imageFormats = []string{"image/png", "image/jpeg", "image/webp", "image/gif"}
