package tap

import "github.com/devrelopers/aipassport/gateway/dialect"

// elements cuts a JSON array of objects into its elements, as Google streams without alt=sse. It keeps one element at most. It
// only follows brackets and strings; whether an element is good JSON is its reader's to say.
type elements struct {
	buf    []byte // of the element that is not whole
	depth  int
	text   bool // inside a string
	escape bool // after a backslash
	done   bool // the array was closed
	broken bool // something stands where nothing may
}

// push takes bytes and calls each for every element that is whole.
func (e *elements) push(p []byte, each func(element []byte)) error {
	from := -1 // where the bytes of the element begin in p
	if e.depth > 1 {
		from = 0
	}
	for i, c := range p {
		if e.text {
			e.inText(c)
			continue
		}
		switch c {
		case '"':
			e.text = true
			e.broken = e.broken || e.depth < 2
		case '{', '[':
			e.broken = e.broken || e.done || e.depth == 0 && c != '[' || e.depth == 1 && c != '{'
			e.depth++
			if e.depth == 2 {
				from = i
			}
		case '}', ']':
			e.depth--
			e.broken = e.broken || e.depth < 0
			if e.depth == 1 && from >= 0 {
				if len(e.buf)+i+1-from > dialect.MaxEvent {
					return tooLong(dialect.MaxEvent)
				}
				e.buf = append(e.buf, p[from:i+1]...)
				each(e.buf)
				e.buf, from = e.reset(), -1
			}
			e.done = e.done || e.depth <= 0
		case ' ', '\t', '\r', '\n', ',':
		default:
			e.broken = e.broken || e.depth < 2
		}
	}
	if from < 0 {
		return nil
	}
	e.buf = append(e.buf, p[from:]...)
	if len(e.buf) > dialect.MaxEvent {
		return tooLong(dialect.MaxEvent)
	}
	return nil
}

func (e *elements) inText(c byte) {
	switch {
	case e.escape:
		e.escape = false
	case c == '\\':
		e.escape = true
	case c == '"':
		e.text = false
	}
}

func (e *elements) reset() []byte {
	if cap(e.buf) > keep {
		return nil
	}
	return e.buf[:0]
}

// closed says whether the array came to its end and was nothing but an array of objects.
func (e *elements) closed() bool { return e.done && !e.broken && e.depth == 0 && !e.text }
