package tap

import "bytes"

// Text counts the bytes of all texts inside the values of an event's members that begin with a mark, like `"delta":`; the names
// in there are not counted. It does not parse: it runs over every piece of every stream. What it counts is never less than the text, because
// an escape is longer than what it stands for, and what is cut counts to its end. Not found: no such member, as far as it is
// written without space before its colon; a name that stands in a text is not taken for one, since its quotes are escaped.
func Text(event, mark []byte) (n int64, found bool) {
	for {
		i := bytes.Index(event, mark)
		if i < 0 {
			return n, found
		}
		found = true
		event = event[i+len(mark):]
		size, length := value(event)
		n += size
		event = event[length:]
	}
}

// value counts the texts in the JSON value at the start of p and says where the value ends.
func value(p []byte) (texts int64, length int) {
	depth := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				return texts, i + 1
			}
		case ',':
			if depth == 0 {
				return texts, i
			}
		case '"':
			end := stringEnd(p, i+1)
			if !isName(p, end) {
				texts += int64(end - i - 1)
			}
			if i = end; depth == 0 {
				return texts, min(end+1, len(p))
			}
		}
	}
	return texts, len(p)
}

// stringEnd is where the quote stands that ends the text from i on.
func stringEnd(p []byte, i int) int {
	for ; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(p)
}

// isName says whether a colon follows the quote at i.
func isName(p []byte, i int) bool {
	for i++; i < len(p); i++ {
		switch p[i] {
		case ' ', '\t', '\r', '\n':
		default:
			return p[i] == ':'
		}
	}
	return false
}
