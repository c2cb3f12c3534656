// Package repomood is the example app as `aipassport demo` serves it: a static page that any web server could serve.
package repomood

import "embed"

// Files are the page: index.html and what it loads.
//
//go:embed index.html style.css app.js github.js mood.js ring.js aipassport.js
var Files embed.FS
