// Package archtest keeps the architecture of docs/design: which folder may import which, who owns the clock, the disk, the network
// and the secrets, how long a function may be. It reads source text and nothing else; its own test runs it over this repository.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// folder is one package's production code.
type folder struct {
	name  string // slash-separated, from the repository's root
	files map[string]*ast.File
}

// Check reads all production code below root (no _test.go, testdata or hidden folders) and returns what breaks the rules, one
// finding a line, in order. An error means that it could not look.
func Check(root fs.FS) ([]string, error) {
	set := token.NewFileSet()
	folders, err := read(root, set)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range folders {
		found = append(found, f.comment()...)
		if _, ok := ruleOf(f.name); !ok {
			found = append(found, f.name+" has no rule: give it one in internal/archtest")
			continue
		}
		for _, name := range sorted(f.files) {
			file := f.files[name]
			found = append(found, f.imports(name, file)...)
			found = append(found, f.uses(name, file)...)
			found = append(found, f.shape(set, name, file)...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// read parses the tree into folders, in order.
func read(root fs.FS, set *token.FileSet) ([]folder, error) {
	byName := map[string]map[string]*ast.File{}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.ContainsAny(d.Name()[:1], "._") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, p, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("read %s: %w", p, err)
		}
		dir := path.Dir(p)
		if byName[dir] == nil {
			byName[dir] = map[string]*ast.File{}
		}
		byName[dir][path.Base(p)] = file
		return nil
	})
	var folders []folder
	for _, name := range sorted(byName) {
		folders = append(folders, folder{name, byName[name]})
	}
	return folders, err
}

// comment wants one package comment that begins as godoc has it.
func (f folder) comment() []string {
	for _, file := range f.files {
		if file.Doc == nil {
			continue
		}
		want := "Package " + file.Name.Name + " "
		if file.Name.Name == "main" {
			want = "Command " + path.Base(f.name) + " "
		}
		if strings.HasPrefix(file.Doc.Text(), want) {
			return nil
		}
	}
	return []string{f.name + " has no package comment"}
}

// imports judges a file's imports.
func (f folder) imports(name string, file *ast.File) (found []string) {
	allowed, _ := ruleOf(f.name)
	for _, spec := range file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser took it, so it is a string
		}
		ours, isOurs := strings.CutPrefix(p, module)
		only, isTest := testOnly[ours]
		switch {
		case spec.Name != nil && spec.Name.Name == ".":
			found = append(found, f.at(name, "imports %s without its name", p))
		case isOurs && isTest && !within(f.name, only):
			found = append(found, f.at(name, "imports %s, which is for tests", ours))
		case isOurs && !lists(allowed, ours):
			found = append(found, f.at(name, "may not import %s", ours))
		case !isOurs && !slices.Contains(onlyErrors, p) && !within(f.name, ownersOf(p)):
			found = append(found, f.at(name, "may not import %s", p))
		}
	}
	return found
}

// uses judges the names that a file uses of packages, and who reveals secrets.
func (f folder) uses(name string, file *ast.File) (found []string) {
	imported := map[string]string{} // the name in this file: the import path
	for _, spec := range file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		local := path.Base(p)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		imported[local] = p
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if s.Sel.Name == "Reveal" && !within(f.name+"/"+name, reveal) {
			found = append(found, f.at(name, "may not Reveal a secret"))
		}
		x, ok := s.X.(*ast.Ident)
		if !ok {
			return true
		}
		p := imported[x.Name]
		if who, ok := names[p+"."+s.Sel.Name]; ok && !within(f.name, who) {
			found = append(found, f.at(name, "may not use %s.%s", p, s.Sel.Name))
		}
		if slices.Contains(onlyErrors, p) && !strings.HasPrefix(s.Sel.Name, "Err") && !within(f.name, ownersOf(p)) {
			found = append(found, f.at(name, "may not use %s.%s", p, s.Sel.Name))
		}
		return true
	})
	return found
}

// shape judges sizes, and that nothing runs before main.
func (f folder) shape(set *token.FileSet, name string, file *ast.File) (found []string) {
	if ast.IsGenerated(file) {
		return nil
	}
	if n := set.Position(file.FileEnd).Line; n > maxFile && !slices.Contains(longer, f.name+"/"+name) {
		found = append(found, f.at(name, "has %d lines, at most %d", n, maxFile))
	}
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		called := nameOf(fn)
		if called == "init" {
			found = append(found, f.at(name, "has an init"))
		}
		n := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1
		excused := slices.Contains(longer, f.name+"/"+name) || slices.Contains(longer, f.name+"."+called)
		if n > maxFunction && !excused {
			found = append(found, f.at(name, "%s has %d lines, at most %d", called, n, maxFunction))
		}
	}
	return found
}

// nameOf is a function's name, a method's with its type before it.
func nameOf(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
		}
	}
}

func (f folder) at(file, format string, args ...any) string {
	return f.name + "/" + file + " " + fmt.Sprintf(format, args...)
}

// ruleOf is what a folder may import of ours: by its own name, else by the pattern of its parent.
func ruleOf(name string) ([]string, bool) {
	if r, ok := mayImport[name]; ok {
		return r, true
	}
	r, ok := mayImport[path.Dir(name)+"/*"]
	return r, ok
}

// lists says whether a folder is in a list of mayImport, where /* is one level.
func lists(list []string, name string) bool {
	return slices.Contains(list, name) || slices.Contains(list, path.Dir(name)+"/*")
}

// within says whether a folder is one of those in a list, where /* is all levels.
func within(name string, list []string) bool {
	return slices.ContainsFunc(list, func(w string) bool {
		below, any := strings.CutSuffix(w, "*")
		return name == w || any && strings.HasPrefix(name, below)
	})
}

// ownersOf are the folders that may import what is not ours: of the longest listed beginning. Everybody, if none is listed.
func ownersOf(p string) []string {
	for q := p; q != "." && q != "/"; q = path.Dir(q) {
		if who, ok := owners[q]; ok {
			return who
		}
	}
	return []string{"*"}
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
