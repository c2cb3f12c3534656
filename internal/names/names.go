// Package names judges names, addresses and texts that strangers send, before a person sees them: which address an app says it
// has, whether its name may be shown, what it imitates. Every function is pure; it may not touch the network, storage or clock.
package names

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
)

// MaxName is how many characters of an app's name are shown.
const MaxName = 60

// Part is a piece of a text spelled out: either plain text or the code point of one character ("U+202E").
type Part struct{ Text, Code string }

// Name is an app's name, judged.
type Name struct {
	Shown    string // empty: withheld, or there is none
	Withheld bool
	Spelled  []Part // of a withheld name
}

// ourWords are words that only we may say, as skeletons of whole words.
var ourWords = skeletons("aipassport", "passport", "verified", "verify", "official", "trusted", "trust", "safe", "secure", "secured",
	"certified", "approved", "authentic", "genuine", "checked", "admin", "administrator", "security", "support", "system",
	"openai", "chatgpt", "anthropic", "google")

// ourParts are words that may not even be a part of a longer one.
var ourParts = skeletons("aipassport", "verified", "openai", "chatgpt", "anthropic")

// Judge decides whether a name may be shown beside an address. site is the registrable domain that proved itself; empty if
// nothing was checked. A provider's name is hostile unless the provider itself is there.
func Judge(name, site string) Name {
	shown := strings.Join(strings.Fields(norm.NFC.String(name)), " ")
	if shown == "" && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsSpace(r) }) {
		return Name{}
	}
	if !utf8.ValidString(name) || !plainName(name) || !oneScript(shown) || hostile(shown, site) {
		return Name{Withheld: true, Spelled: Spell(name)}
	}
	if r := []rune(shown); len(r) > MaxName {
		shown = strings.TrimSpace(string(r[:MaxName])) + "…"
	}
	return Name{Shown: shown}
}

// plainName says whether every character may stand in a name: letters, digits and their marks, a plain space, a few signs. No
// controls, format characters, other spaces, private or unassigned code points, symbols or emoji; no pile of marks.
func plainName(s string) bool {
	marks := 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.M, r):
			if marks++; marks > 2 || unicode.Is(unicode.Me, r) || unicode.Is(unicode.Variation_Selector, r) {
				return false
			}
			continue
		case unicode.IsLetter(r), unicode.Is(unicode.Nd, r), strings.ContainsRune(" -_.,:;'’!?&+/()#·", r):
		default:
			return false
		}
		marks = 0
		if norm.NFKC.String(string(r)) != norm.NFC.String(string(r)) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
			return false // full-width, mathematical and other styled letters; fillers that show nothing
		}
	}
	first, _ := utf8.DecodeRuneInString(s)
	return !unicode.Is(unicode.M, first)
}

// sets are the scripts that are written together (UTS #39 §5.1, augmented script sets).
var sets = [][]string{{"Han", "Hiragana", "Katakana"}, {"Han", "Bopomofo"}, {"Han", "Hangul"}}

// oneScript says whether all letters belong to one script, or to scripts that one language writes together. Digits must be
// ASCII's or the script's own.
func oneScript(s string) bool {
	var found []string
	for _, r := range s {
		script := scriptOf(r)
		if script == "" || script == "Common" || script == "Inherited" {
			if unicode.Is(unicode.Nd, r) && r > unicode.MaxASCII {
				return false
			}
			continue
		}
		if !slices.Contains(found, script) {
			found = append(found, script)
		}
	}
	if len(found) <= 1 {
		return true
	}
	return slices.ContainsFunc(sets, func(set []string) bool {
		return !slices.ContainsFunc(found, func(f string) bool { return !slices.Contains(set, f) })
	})
}

func scriptOf(r rune) string {
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

// hostile says whether a name claims what only we or a provider may claim, or names another address. Compared are skeletons,
// so that letters of another script or digits do not hide a word.
func hostile(name, site string) bool {
	own := providerOf(site)
	for _, w := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r) }) {
		if sk := Skeleton(w); slices.Contains(ourWords, sk) && !slices.Contains(own, sk) {
			return true
		}
	}
	squeezed := Skeleton(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) {
			return r
		}
		return -1
	}, name))
	for _, w := range ourParts {
		if strings.Contains(squeezed, w) && !slices.Contains(own, w) {
			return true
		}
	}
	return strings.Contains(name, "://") || namesAddress(name, site)
}

// namesAddress says whether a word of the name reads as the address of another place.
func namesAddress(name, site string) bool {
	for w := range strings.FieldsSeq(name) {
		w = strings.ToLower(strings.Trim(w, "-_.,:;'’!?&+/()#·"))
		host, _, _ := strings.Cut(w, "/")
		_, icann := publicsuffix.PublicSuffix(host)
		if !icann || !strings.Contains(host, ".") {
			continue
		}
		if reg, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil && reg != site {
			return true
		}
	}
	return false
}

// providerOf is what a site may call itself.
func providerOf(site string) []string {
	switch site {
	case "openai.com", "chatgpt.com":
		return skeletons("openai", "chatgpt")
	case "anthropic.com", "claude.ai", "claude.com":
		return skeletons("anthropic")
	case "google.com":
		return skeletons("google")
	default:
		return nil
	}
}

// Spell shows what a text hides: whatever is not plain Latin becomes its code point. At most 120 characters are spelled.
func Spell(s string) []Part {
	var parts []Part
	n := 0
	for _, r := range s {
		if n++; n > 2*MaxName {
			return append(parts, Part{Text: "…"})
		}
		if r >= 0x250 || !unicode.IsPrint(r) {
			parts = append(parts, Part{Code: fmt.Sprintf("U+%04X", r)})
			continue
		}
		if k := len(parts); k > 0 && parts[k-1].Code == "" {
			parts[k-1].Text += string(r)
			continue
		}
		parts = append(parts, Part{Text: string(r)})
	}
	return parts
}

// Skeleton reduces a text to what it looks like (UTS #39 §4, simplified to what ends in ASCII): two texts with one skeleton can be
// taken for each other. It is for comparing, never for showing.
func Skeleton(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if unicode.Is(unicode.M, r) || unicode.Is(unicode.Cf, r) {
			continue
		}
		plain, ok := plainOf[r]
		if !ok {
			plain = string(unicode.ToLower(r))
		}
		b.WriteString(plain)
	}
	return folds.Replace(b.String())
}

// folds joins the plain letters that are taken for each other.
var folds = strings.NewReplacer("rn", "m", "vv", "w", "i", "l", "1", "l", "|", "l", "0", "o")

// plainOf is lookalikes turned round.
var plainOf = turned()

// Cyrillic letters that pass for Latin ones inside a word, though the Unicode file does not list them so.
var cyrillic = map[rune]string{'в': "b", 'и': "u", 'к': "k", 'м': "m", 'н': "h", 'п': "n", 'т': "t", 'я': "r"}

func turned() map[rune]string {
	m := maps.Clone(cyrillic)
	for _, plain := range slices.Sorted(maps.Keys(lookalikes)) {
		for _, r := range lookalikes[plain] {
			if _, taken := m[r]; !taken {
				m[r] = plain
			}
		}
	}
	return m
}

func skeletons(words ...string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = Skeleton(w)
	}
	return out
}

// ReasonShown is how many characters of a reason are shown before the fold, and MaxReason how many at all.
const (
	ReasonShown = 280
	MaxReason   = 4000
)

// Reason is an app's own words, ready to be quoted.
type Reason struct {
	Text, Rest string
	Length     int // characters in all, as they came
}

// Quote drops what steers direction or is invisible (format and control characters, fillers, piled marks), keeps single line breaks,
// and folds what is long.
func Quote(s string) Reason {
	q := Reason{Length: utf8.RuneCountInString(s)}
	var out []rune
	marks, breaks := 0, 0
	for _, r := range strings.ToValidUTF8(s, "") {
		if r == '\r' {
			continue
		}
		if unicode.Is(unicode.M, r) {
			if marks++; marks > 2 || unicode.Is(unicode.Me, r) || unicode.Is(unicode.Variation_Selector, r) {
				continue
			}
		} else {
			marks = 0
		}
		if r == '\n' {
			if breaks++; breaks > 1 {
				continue
			}
		} else if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || r == '\u2028' || r == '\u2029' ||
			unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
			continue
		} else {
			breaks = 0
		}
		if out = append(out, r); len(out) == MaxReason {
			break
		}
	}
	text := []rune(strings.TrimSpace(string(out)))
	cut := min(len(text), ReasonShown)
	q.Text, q.Rest = string(text[:cut]), string(text[cut:])
	return q
}

// ModelName says whether a model's name is plain enough to be shown as it is: at most 100 of the characters that providers use.
func ModelName(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for _, r := range s {
		if r > '~' || !(unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.:/@", r)) {
			return false
		}
	}
	return true
}
