package deploy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// token is what may write comments.
const token = "secret-token-of-the-forge"

// forge is as much of the interfaces of GitHub and GitLab as comments take. Both
// keep a list of them, in pages; they differ in paths, methods and names.
type forge struct {
	*httptest.Server
	gitlab bool

	mu       sync.Mutex
	comments []note
	calls    []string // methods of what was written, and where
	refuse   bool     // writing is not allowed, as from a fork
}

type note struct {
	id           int
	author, body string
}

// self is who the token is.
func (f *forge) self() string {
	if f.gitlab {
		return "project_7_bot"
	}
	return "github-actions[bot]"
}

// newForge has more comments than fit into a page, and one among them that looks
// like ours and is not.
func newForge(t *testing.T, gitlab bool) *forge {
	t.Helper()
	f := &forge{gitlab: gitlab}
	for i := range 105 {
		f.comments = append(f.comments, note{id: 1000 + i, author: "somebody", body: "looks \"good\" to me"})
	}
	f.comments[3].body = "<!-- floodgate -->\nI am not the one you want"
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// written are the comments of the token's owner.
func (f *forge) written() []note {
	f.mu.Lock()
	defer f.mu.Unlock()
	var own []note
	for _, c := range f.comments {
		if c.author == f.self() {
			own = append(own, c)
		}
	}
	return own
}

// took are the writes since the last call.
func (f *forge) took() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := strings.Join(f.calls, " ")
	f.calls = nil
	return calls
}

func (f *forge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, items, update, authorized := "/repos/owner/server/issues/7/comments", "/repos/owner/server/issues/comments/", "PATCH", r.Header.Get("Authorization") == "Bearer "+token
	if f.gitlab {
		list, update, authorized = "/api/v4/projects/42/merge_requests/7/notes", "PUT", r.Header.Get("Private-Token") == token
		items = list + "/"
	}
	id, isItem := strings.CutPrefix(r.URL.Path, items)
	switch {
	case !authorized:
		w.WriteHeader(http.StatusUnauthorized)
	case f.gitlab && r.Method == "GET" && r.URL.Path == "/api/v4/user":
		fmt.Fprintf(w, `{"id": 9, "username": %q}`, f.self())
	case r.Method == "GET" && r.URL.Path == list:
		json.NewEncoder(w).Encode(f.page(r))
	case f.refuse:
		w.WriteHeader(http.StatusForbidden)
	case r.Method == "POST" && r.URL.Path == list:
		f.comments = append(f.comments, note{id: 1000 + len(f.comments), author: f.self(), body: f.body(r)})
		f.calls = append(f.calls, "POST")
		w.WriteHeader(http.StatusCreated)
	case r.Method == update && isItem:
		f.calls = append(f.calls, update)
		for i := range f.comments {
			if strconv.Itoa(f.comments[i].id) == id {
				f.comments[i].body = f.body(r)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	default:
		f.calls = append(f.calls, r.Method+" "+r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
	}
}

// body reads the text of a comment. What is no comment is an empty one.
func (f *forge) body(r *http.Request) string {
	var request struct{ Body string }
	text, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(text, &request) != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return ""
	}
	return request.Body
}

// page is the comments that a request asks for.
func (f *forge) page(r *http.Request) []map[string]any {
	per, _ := strconv.Atoi(r.FormValue("per_page"))
	page, _ := strconv.Atoi(r.FormValue("page"))
	who, name := "user", "login"
	if f.gitlab {
		who, name = "author", "username"
	}
	out := []map[string]any{}
	for i := per * (page - 1); i >= 0 && i < min(per*page, len(f.comments)); i++ {
		c := f.comments[i]
		out = append(out, map[string]any{"id": c.id, "body": c.body, who: map[string]any{name: c.author}})
	}
	return out
}
