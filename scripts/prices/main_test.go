package main

import (
	"os"
	"strings"
	"testing"
)

// TestItsOutputGivesItself: the file that is built in was made by this very program and not by hand.
func TestItsOutputGivesItself(t *testing.T) {
	b, err := os.ReadFile("../../guard/meter/data/prices.json")
	if err != nil {
		t.Fatal(err)
	}
	again, err := trim(b, own...)
	if err != nil || string(again) != string(b) {
		t.Errorf("not its own: %v", err)
	}
}

func TestTrim(t *testing.T) {
	merged := func(rows string) string {
		return `{"schema":1,"currency":"USD","as_of":"2026-01-01","sources":[],"unit":"x","models":[` + rows + `]}`
	}
	got, err := trim([]byte(merged(`{"model":"z","provider":"openai","kind":"chat","out":2,"in":1.50,"reasoning":false,"max_out":null,"api":"a"},
		{"provider":"openai","model":"a","kind":"embedding","in":1},{"provider":"bedrock","model":"a","kind":"chat"},
		{"provider":"openai","model":"ada","kind":"chat"},{"provider":"openai","model":"c","kind":"classifier","odd":1}`)))
	want := `"models":[
{"provider":"openai","model":"a","kind":"embedding","in":1},
{"provider":"openai","model":"z","kind":"chat","in":1.50,"out":2}
]}
`
	if err != nil || !strings.HasSuffix(string(got), want) {
		t.Errorf("got %s, %v", got, err)
	}
	mine := `{"provider":"openai","model":"b","kind":"speech","in_chars":15,"src":"own"}`
	for rows, want := range map[string]string{
		`{"provider":"openai","model":"a","kind":"chat","in":1}`:          `{"provider":"openai","model":"a","kind":"chat","in":1},` + "\n" + mine + "\n]}\n",
		`{"provider":"openai","model":"b","kind":"speech","in_chars":99}`: `[` + "\n" + `{"provider":"openai","model":"b","kind":"speech","in_chars":99}` + "\n]}\n",
	} {
		if got, err := trim([]byte(merged(rows)), mine); err != nil || !strings.HasSuffix(string(got), want) {
			t.Errorf("got %s, %v", got, err)
		}
	}
	if _, err := trim([]byte(merged(`{"provider":"openai","model":"a","kind":"chat","in_smell":1}`))); err == nil {
		t.Error("a member that nobody knows was dropped")
	}
}
