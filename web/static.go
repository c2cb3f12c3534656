package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed static/*
var static embed.FS

// file is one static file, kept whole in memory.
type file struct {
	kind string
	body []byte
}

var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}

// readFiles returns the static files by path, and their paths by name: /static/app.<hash>.css.
func readFiles() (map[string]file, map[string]string, error) {
	files, paths := map[string]file{}, map[string]string{}
	entries, err := fs.ReadDir(static, "static")
	if err != nil {
		return nil, nil, fmt.Errorf("read static files: %w", err)
	}
	for _, e := range entries {
		body, err := static.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", e.Name(), err)
		}
		ext := path.Ext(e.Name())
		kind, ok := kinds[ext]
		if !ok {
			return nil, nil, fmt.Errorf("static file %s has no known kind", e.Name())
		}
		sum := sha256.Sum256(body)
		at := "/static/" + strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		files[at], paths[e.Name()] = file{kind, body}, at
	}
	return files, paths, nil
}

// Static serves /static/. A name holds the hash of its content, so it can be kept for ever; any other name is not found.
func (p *Pages) Static(w http.ResponseWriter, r *http.Request) {
	f, ok := p.files[r.URL.Path]
	if !ok {
		Protect(w)
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", fmt.Sprint(len(f.body)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if r.Method != http.MethodHead {
		w.Write(f.body)
	}
}

// sets are the templates of all pages, parsed once in a process: all Pages share them.
var sets = sync.OnceValues(parseTemplates)

// parseTemplates makes one set a page: the layout, and the page that fills it.
func parseTemplates() (map[string]*template.Template, error) {
	layout, err := template.New("").Funcs(funcs).ParseFS(templates, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse the layout: %w", err)
	}
	entries, err := fs.ReadDir(templates, "templates")
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	all := map[string]*template.Template{}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		set, err := layout.Clone()
		if err != nil {
			return nil, fmt.Errorf("clone the layout: %w", err)
		}
		if all[name], err = set.ParseFS(templates, "templates/"+e.Name()); err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
	}
	return all, nil
}
