package tap

import (
	"bytes"
	"cmp"

	"github.com/devrelopers/aipassport/gateway/dialect"
)

// bom may stand before the first event.
const bom = "\ufeff"

// splitter cuts a stream into events: lines that end in LF, CR or CRLF, an empty line after each event (WHATWG HTML §9.2.5). It
// keeps the bytes of the one event that is not whole yet, and no more.
type splitter struct {
	most    int    // bytes of one event; 0: dialect.MaxEvent
	buf     []byte // of the event that is not whole
	line    int    // where its current line begins
	at      int    // up to where it was looked at
	started bool   // the first event has passed
	joined  []byte // of an event with several data lines
}

func (s *splitter) limit() int { return cmp.Or(s.most, dialect.MaxEvent) }

// push takes bytes and calls each for every event that is whole, with its bytes as they came and its data; data is nil for what
// has none (comments). The result is the same however the stream is cut into pushes.
func (s *splitter) push(p []byte, each func(raw, data []byte)) error {
	work := p
	if len(s.buf) > 0 {
		s.buf = append(s.buf, p...)
		work = s.buf
	}
	start := 0
	for {
		end, next := s.lineEnd(work)
		if end < 0 {
			break
		}
		if end > s.line { // a line of the event
			s.line, s.at = next, next
			continue
		}
		if next-start > s.limit() {
			return tooLong(s.limit())
		}
		s.emit(work[start:next], each)
		start, s.line, s.at = next, next, next
	}
	if len(work)-start > s.limit() {
		return tooLong(s.limit())
	}
	s.line, s.at = s.line-start, s.at-start
	if cap(s.buf) > keep && len(work)-start <= keep {
		s.buf = append([]byte(nil), work[start:]...)
		return nil
	}
	s.buf = append(s.buf[:0], work[start:]...)
	return nil
}

// end takes what is left as an event: a provider may leave the last empty line out.
func (s *splitter) end(each func(raw, data []byte)) {
	if len(s.buf) > 0 {
		s.emit(s.buf, each)
		s.buf = nil
	}
}

// lineEnd is where the current line ends and where the next one begins; -1 if that is not known yet. A CR at the very end may be
// half of a CRLF, so it is not known.
func (s *splitter) lineEnd(work []byte) (end, next int) {
	rest := work[s.at:]
	lf := bytes.IndexByte(rest, '\n')
	if lf >= 0 {
		rest = rest[:lf]
	}
	cr := bytes.IndexByte(rest, '\r')
	switch {
	case cr >= 0 && s.at+cr+1 == len(work):
		s.at += cr
		return -1, -1
	case cr >= 0 && work[s.at+cr+1] == '\n':
		return s.at + cr, s.at + cr + 2
	case cr >= 0:
		return s.at + cr, s.at + cr + 1
	case lf >= 0:
		return s.at + lf, s.at + lf + 1
	default:
		s.at = len(work)
		return -1, -1
	}
}

// emit finds the data of an event and hands both on.
func (s *splitter) emit(raw []byte, each func(raw, data []byte)) {
	text := raw
	if !s.started {
		text = bytes.TrimPrefix(text, []byte(bom))
		s.started = true
	}
	var data []byte
	many := false
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		if i := bytes.IndexByte(line, '\r'); i >= 0 {
			line, rest = line[:i], text[i+1:]
		}
		text = rest
		value, ok := dataOf(line)
		if !ok {
			continue
		}
		if data == nil {
			data = value
			continue
		}
		if !many {
			s.joined, many = append(s.joined[:0], data...), true
		}
		s.joined = append(append(s.joined, '\n'), value...)
		data = s.joined
	}
	each(raw, data)
	if cap(s.joined) > keep {
		s.joined = nil
	}
}

// dataOf is the value of a data line: what follows the colon, without one space.
func dataOf(line []byte) ([]byte, bool) {
	value, ok := bytes.CutPrefix(line, []byte("data"))
	switch {
	case !ok:
		return nil, false
	case len(value) == 0:
		return []byte{}, true
	default:
		value, ok = bytes.CutPrefix(value, []byte(":"))
		return bytes.TrimPrefix(value, []byte(" ")), ok
	}
}
