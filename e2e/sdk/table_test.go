package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// all are the rows of a run in which each cell that applies was seen and only the gaps failed.
func all() (rows []row) {
	for _, c := range clients {
		for _, t := range c.targets {
			for _, f := range features {
				key := cell{c.name, f.name, t}
				if none(c, t, f.name) == "" {
					_, isGap := gapOf(key)
					rows = append(rows, row{cell: key, Version: "1.2.3", OK: !isGap})
				}
			}
		}
	}
	return rows
}

// at is where a cell is among rows.
func at(rows []row, gap bool) int {
	return slices.IndexFunc(rows, func(r row) bool {
		_, isGap := gapOf(r.cell)
		return isGap == gap
	})
}

// TestThePageTellsWhatWasSeenOrIsNotMade: a missing cell, a failing one, a gap that works, one that was run twice, and two versions of one SDK.
func TestThePageTellsWhatWasSeenOrIsNotMade(t *testing.T) {
	if _, err := render(all()); err != nil {
		t.Fatalf("a whole run: %v", err)
	}
	good, bad := at(all(), false), at(all(), true)
	if good < 0 || bad < 0 {
		t.Fatal("there is no cell that works, or no gap")
	}
	for name, c := range map[string]struct {
		spoil func([]row) []row
		says  string
	}{
		"missing":                   {func(rs []row) []row { return slices.Delete(rs, good, good+1) }, "no suite has shown"},
		"missing gap":               {func(rs []row) []row { return slices.Delete(rs, bad, bad+1) }, "no suite has shown"},
		"failing":                   {func(rs []row) []row { rs[good].OK = false; return rs }, "ok is false"},
		"a gap that works":          {func(rs []row) []row { rs[bad].OK = true; return rs }, "ok is true"},
		"twice":                     {func(rs []row) []row { return append(rs, rs[good]) }, "twice"},
		"without a version":         {func(rs []row) []row { rs[good].Version = ""; return rs }, "versions"},
		"another version":           {func(rs []row) []row { rs[good].Version = "1.2.4"; return rs }, "versions"},
		"nothing at all":            {func([]row) []row { return nil }, "no suite has shown"},
		"seen where none can apply": {seenWhereNoneApplies, "is no cell that applies"},
	} {
		if page, err := render(c.spoil(all())); err == nil || page != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v and %d bytes, want an error with %q", name, err, len(page), c.says)
		}
	}
}

func seenWhereNoneApplies(rows []row) []row {
	return append(rows, row{cell: cell{"anthropic-go", "embeddings", "anthropic"}, Version: "1.2.3", OK: true})
}

// TestASuiteFailsForWhatIsNotKnown: what goes wrong and is no gap, and a gap that works; not for a gap.
func TestASuiteFailsForWhatIsNotKnown(t *testing.T) {
	rows := all()
	good, bad := rows[at(rows, false)], rows[at(rows, true)]
	if got := against(good); got != "" {
		t.Errorf("%s works: got %q", good.cell, got)
	}
	if got := against(bad); got != "" {
		t.Errorf("%s is a gap: got %q", bad.cell, got)
	}
	good.OK, good.Why, bad.OK = false, "it fails", true
	if got := against(good); got != "it fails" {
		t.Errorf("%s fails: got %q", good.cell, got)
	}
	if got := against(bad); !strings.Contains(got, "take it out of the gaps") {
		t.Errorf("%s is a gap and works: got %q", bad.cell, got)
	}
	if _, err := known(cell{"anthropic-go", "no-such-feature", "anthropic"}); err == nil {
		t.Error("a feature that is in no table is taken")
	}
}

// TestThePageInTheTreeIsNotOutOfDate: a page that tells something else fails the run, unless it is to be written.
func TestThePageInTheTreeIsNotOutOfDate(t *testing.T) {
	o := options{page: t.TempDir() + "/sdks.md", write: true}
	if err := page(o, all()); err != nil {
		t.Fatal(err)
	}
	o.write = false
	if err := page(o, all()); err != nil {
		t.Errorf("the page that was written: %v", err)
	}
	if err := os.WriteFile(o.page, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := page(o, all()); err == nil || !strings.Contains(err.Error(), "does not tell what was seen") {
		t.Errorf("another page: got %v", err)
	}
}
