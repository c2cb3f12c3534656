package openai

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/devrelopers/aipassport/internal/problem"
)

// Bounds of a form.
const (
	maxFields = 32       // parts
	maxValue  = 16 << 10 // bytes of a value that is no file
)

// form is a multipart/form-data body (RFC 7578): one file and some texts.
type form struct {
	names, written []string // in the order in which they came
	file           []byte   // nil: there is none
	extension      string   // of its name
}

// unheard says why a field that OpenAI knows may not go through.
var unheard = map[string]string{
	"chunking_strategy":          "how often a prompt is read again for a file in pieces has no known bound",
	"known_speaker_names":        "known speakers are sound that is heard besides; send the file alone",
	"known_speaker_names[]":      "known speakers are sound that is heard besides; send the file alone",
	"known_speaker_references":   "known speakers are sound that is heard besides; send the file alone",
	"known_speaker_references[]": "known speakers are sound that is heard besides; send the file alone",
}

// types are the files that can be heard, by the extension of their name (API reference, transcriptions, file).
var types = map[string]string{"flac": "audio/flac", "mp3": "audio/mpeg", "mpga": "audio/mpeg", "mpeg": "audio/mpeg", "mp4": "audio/mp4", "m4a": "audio/mp4",
	"ogg": "audio/ogg", "oga": "audio/ogg", "wav": "audio/wav", "webm": "audio/webm"}

// readForm reads a form whose texts are of the given fields. All its errors are Invalid and name the field.
func readForm(body []byte, boundary string, fields map[string]bool) (*form, error) {
	f := &form{}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		if err != nil {
			return nil, problem.New(problem.Invalid, "the body is not a form in parts")
		}
		if n >= maxFields {
			return nil, problem.New(problem.Invalid, "a form has at most %d fields", maxFields)
		}
		if err := f.part(p, fields); err != nil {
			return nil, err
		}
	}
}

// part takes one part.
func (f *form) part(p *multipart.Part, fields map[string]bool) error {
	kind, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	name := params["name"]
	if err != nil || kind != "form-data" || name == "" || len(name) > 64 || len(params) > 2 || len(params) == 2 && params["filename"] == "" {
		return problem.New(problem.Invalid, "each part of the form must say by name, and nothing else but the name of a file, which field it is")
	}
	for h, vs := range p.Header {
		if h != "Content-Disposition" && h != "Content-Type" || len(vs) > 1 {
			return problem.New(problem.Invalid, "a part of the form cannot have the header %.40q", h).In(name)
		}
	}
	value, err := io.ReadAll(p)
	if err != nil {
		return problem.New(problem.Invalid, "the body is not a form in parts").In(name)
	}
	many, known := fields[name]
	switch {
	case name == "file":
		return f.takeFile(params["filename"], value)
	case unheard[name] != "":
		return problem.New(problem.Invalid, "%s", unheard[name]).In(name)
	case !known:
		return problem.New(problem.Invalid, "unknown or not allowed field").In(name)
	case !many && slices.Contains(f.names, name):
		return problem.New(problem.Invalid, "the field comes twice").In(name)
	case params["filename"] != "":
		return problem.New(problem.Invalid, "must be a text, not a file").In(name)
	case len(value) > maxValue || !utf8.Valid(value):
		return problem.New(problem.Invalid, "must be a text in UTF-8 of at most %d bytes", maxValue).In(name)
	}
	f.names, f.written = append(f.names, name), append(f.written, string(value))
	return nil
}

func (f *form) takeFile(name string, value []byte) error {
	dot := strings.LastIndexByte(name, '.')
	f.extension = strings.ToLower(name[dot+1:])
	switch {
	case f.file != nil:
		return problem.New(problem.Invalid, "the field comes twice").In("file")
	case dot < 0 || types[f.extension] == "":
		return problem.New(problem.Invalid, "must be a file whose name ends in flac, mp3, mp4, mpeg, mpga, m4a, ogg, oga, wav or webm").In("file")
	case len(value) == 0:
		return problem.New(problem.Invalid, "the file is empty").In("file")
	}
	f.file = value
	return nil
}

// values are those of a field.
func (f *form) values(name string) (out []string) {
	for i, n := range f.names {
		if n == name {
			out = append(out, f.written[i])
		}
	}
	return out
}

// first is the value of a field; empty: there is none.
func (f *form) first(name string) string {
	if i := slices.Index(f.names, name); i >= 0 {
		return f.written[i]
	}
	return ""
}

// texts are all values that are no file.
func (f *form) texts() []byte { return []byte(strings.Join(f.written, "\n")) }

// write is the form anew, and its Content-Type. The boundary follows from the content, and is not in it.
func (f *form) write(extension string) (body []byte, contentType string) {
	sum := sha256.Sum256(append(f.texts(), f.file...))
	boundary := "form-" + hex.EncodeToString(sum[:])
	for bytes.Contains(f.file, []byte(boundary)) || bytes.Contains(f.texts(), []byte(boundary)) {
		sum = sha256.Sum256(sum[:])
		boundary = "form-" + hex.EncodeToString(sum[:])
	}
	var b bytes.Buffer
	b.Grow(len(f.file) + len(f.texts()) + (len(f.names)+2)*200)
	for i, name := range f.names {
		b.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + f.written[i] + "\r\n")
	}
	b.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"audio." + extension + "\"\r\nContent-Type: " + types[extension] + "\r\n\r\n")
	b.Write(f.file)
	b.WriteString("\r\n--" + boundary + "--\r\n")
	return b.Bytes(), "multipart/form-data; boundary=" + boundary
}
