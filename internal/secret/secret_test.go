package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/devrelopers/aipassport/internal/secret"
)

const canary = "sk-canary-0123456789"

// shows says in which of its shapes the secret stands in a text: as it is, in hexadecimal, as a list of its bytes, quoted.
func shows(text string) (shapes []string) {
	b := []byte(canary)
	var hexes, spaced []string
	for _, c := range b {
		hexes, spaced = append(hexes, fmt.Sprintf("0x%x", c)), append(spaced, fmt.Sprintf("%02x", c))
	}
	for name, s := range map[string]string{
		"plain": canary, "hex": hex.EncodeToString(b), "decimal": strings.Trim(fmt.Sprint(b), "[]"), "Go bytes": strings.Join(hexes, ", "),
		"spaced hex": strings.Join(spaced, " "), "base64": strings.Trim(string(mustJSON(b)), `"`), "octal": strings.Trim(fmt.Sprintf("%o", b), "[]"),
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(s)) {
			shapes = append(shapes, name)
		}
	}
	return shapes
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// holder has a secret in every place that a struct can have one.
type holder struct {
	Exported   secret.Text
	unexported secret.Text
	Pointer    *secret.Text
	hidden     *secret.Text
	Any        any
	List       []secret.Text
	Map        map[string]secret.Text
	inner      struct{ deep secret.Text }
	secret.Text
}

func everywhere() map[string]any {
	t := secret.New(canary)
	h := holder{Exported: t, unexported: t, Pointer: &t, hidden: &t, Any: t, List: []secret.Text{t}, Map: map[string]secret.Text{"k": t}, Text: t}
	h.inner.deep = t
	type plainHolder struct{ k secret.Text } // String is not promoted, so that fmt walks the fields
	type named secret.Text                   // has no methods at all
	p := plainHolder{t}
	return map[string]any{
		"value": t, "pointer": &t, "from bytes": secret.FromBytes([]byte(canary)), "slice": []secret.Text{t}, "array": [2]secret.Text{t, t},
		"map": map[string]secret.Text{"k": t}, "map of pointers": map[string]*secret.Text{"k": &t}, "any": []any{t, &t}, "holder": h, "pointer to holder": &h,
		"plain holder": p, "pointer to plain holder": &p, "slice of holders": []plainHolder{p}, "map of holders": map[int]plainHolder{1: p},
		"type without methods": named(t), "error": fmt.Errorf("with %v: %w", t, errors.New("cause")), "chain": struct{ next *plainHolder }{&p},
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%c", "%U", "%t", "%T", "%p", "%e", "%+q", "%#q", "%100v", "%-5s", "%.3s", "%!", "%w"}
	for name, v := range everywhere() {
		for _, verb := range verbs {
			if got := shows(fmt.Sprintf(verb, v)); got != nil {
				t.Errorf("%s of %s shows the secret: %v", verb, name, got)
			}
		}
		if got := shows(fmt.Sprint(v) + fmt.Sprintln(v)); got != nil {
			t.Errorf("Print of %s shows the secret: %v", name, got)
		}
	}
}

func TestEncodingShowsNoSecret(t *testing.T) {
	for name, v := range everywhere() {
		for encoding, encode := range map[string]func(any) ([]byte, error){
			"JSON": json.Marshal, "XML": xml.Marshal,
			"JSON v2": func(v any) ([]byte, error) { return jsonv2.Marshal(v) },
			"gob": func(v any) ([]byte, error) {
				var b bytes.Buffer
				err := gob.NewEncoder(&b).Encode(v)
				return b.Bytes(), err
			},
		} {
			text, err := encode(v) // some cannot be encoded, which shows nothing either
			if got := shows(string(text) + fmt.Sprint(err)); got != nil {
				t.Errorf("%s of %s shows the secret: %v", encoding, name, got)
			}
		}
	}
}

func TestLogsShowNoSecret(t *testing.T) {
	for name, v := range everywhere() {
		var b bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
			l := slog.New(h)
			l.Info("m", "k", v)
			l.With("k", v).WithGroup("g").Info("m", slog.Group("h", slog.Any("k", v)))
			l.Info(fmt.Sprint(v))
		}
		if got := shows(b.String()); got != nil {
			t.Errorf("the log of %s shows the secret: %v\n%s", name, got, b.String())
		}
	}
}

// The test above can see: a struct that holds the bytes themselves is caught in every shape.
func TestShowsSees(t *testing.T) {
	for verb, want := range map[string]string{"%v": "decimal", "%s": "plain", "%x": "hex", "% x": "spaced hex", "%#v": "Go bytes", "%o": "octal"} {
		if got := shows(fmt.Sprintf(verb, struct{ b []byte }{[]byte(canary)})); !slices.Contains(got, want) {
			t.Errorf("%s: got %v, want %s", verb, got, want)
		}
	}
	if got := shows(string(mustJSON([]byte(canary)))); !slices.Contains(got, "base64") {
		t.Errorf("got %v", got)
	}
}

func TestRevealGivesItBack(t *testing.T) {
	b := []byte(canary)
	for name, text := range map[string]secret.Text{"New": secret.New(canary), "FromBytes": secret.FromBytes(b)} {
		if text.Reveal() != canary || text.Empty() {
			t.Errorf("%s: got %q", name, text.Reveal())
		}
	}
	kept := secret.FromBytes(b)
	clear(b) // FromBytes keeps the bytes themselves, so whoever lends can wipe them
	if kept.Reveal() == canary {
		t.Error("wiped, and still there")
	}
}

func TestZeroTextIsEmpty(t *testing.T) {
	var zero secret.Text
	for name, text := range map[string]secret.Text{"zero": zero, "New": secret.New(""), "FromBytes": secret.FromBytes(nil)} {
		if !text.Empty() || text.Reveal() != "" || text.String() != "[secret]" {
			t.Errorf("%s: got %q, %q", name, text.Reveal(), text)
		}
	}
	if zero.Equal("") {
		t.Error("no secret equals the empty text: whoever sends nothing would be let in")
	}
}

func TestEqual(t *testing.T) {
	text := secret.New(canary)
	for s, want := range map[string]bool{canary: true, canary + "x": false, canary[1:]: false, "": false, strings.ToUpper(canary): false, "[secret]": false} {
		if got := text.Equal(s); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}

func TestSecretIsNotDecoded(t *testing.T) {
	var v struct{ Key secret.Text }
	if err := json.Unmarshal([]byte(`{"Key":"`+canary+`"}`), &v); err == nil || shows(err.Error()) != nil || !v.Key.Empty() {
		t.Errorf("got %v, %v", v, err)
	}
}
