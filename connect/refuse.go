package connect

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// google are the names of statuses in Google's errors (google.rpc.Code, by google/rpc/code.proto).
var google = map[int]string{400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}

// anthropic are the types of Anthropic's errors (docs.anthropic.com/en/api/errors).
var anthropic = map[int]string{400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error"}

// refuse answers for this sidecar itself, in the dialect that the caller's SDK expects. SDKs do not try again what cannot get better.
func refuse(w http.ResponseWriter, r *http.Request, status int, text string) {
	var v any
	switch {
	case strings.HasPrefix(r.URL.Path, "/anthropic/"):
		kind := anthropic[status]
		if kind == "" {
			kind = "api_error"
		}
		v = map[string]any{"type": "error", "error": map[string]any{"type": kind, "message": text}, "request_id": nil}
	case strings.HasPrefix(r.URL.Path, "/google/"):
		name := google[status]
		if name == "" {
			name = "INTERNAL"
		}
		v = map[string]any{"error": map[string]any{"code": status, "message": text, "status": name, "details": []any{}}}
	default:
		code := map[int]any{401: "invalid_api_key"}[status]
		v = map[string]any{"error": map[string]any{"message": text, "type": "aipassport_connect", "param": nil, "code": code}}
	}
	b, err := json.Marshal(v)
	if err != nil { // only text is in it
		status, b = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		h.Set("X-Should-Retry", "false")
	}
	w.WriteHeader(status)
	w.Write(b)
}

// clip keeps what a caller said short.
func clip(text string) string {
	if len(text) > 100 {
		text = text[:100]
	}
	return strings.ToValidUTF8(text, "?")
}
