package cases

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// Repository is where the tags of the case at hand are listed.
const Repository = "charts/app"

const (
	digest    = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of {}
	mediaType = "application/vnd.oci.image.manifest.v1+json"
)

// A Registry lists the tags of one case at a time and remembers the tag that was asked for. It knows the digest of a listed tag and
// has no manifest, so that every pull ends once the client has said which tag it means.
type Registry struct {
	// Host is host:port, plain HTTP.
	Host string

	mu    sync.Mutex
	tags  []string
	asked string
}

func NewRegistry() *Registry {
	registry := &Registry{}
	registry.Host = strings.TrimPrefix(httptest.NewServer(registry).URL, "http://")
	return registry
}

// Hold starts a case: these tags are listed, and none was asked for.
func (r *Registry) Hold(tags []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if tags == nil {
		tags = []string{}
	}
	r.tags, r.asked = tags, ""
}

// Asked is the tag whose manifest the client wanted, as it stood in the URL; empty when it wanted none. Listed says whether it is there.
func (r *Registry) Asked() (tag string, listed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked, slices.Contains(r.tags, r.asked)
}

func (r *Registry) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := strings.TrimPrefix(request.URL.Path, "/v2/"+Repository+"/")
	reference, isManifest := strings.CutPrefix(path, "manifests/")
	switch {
	case path == "tags/list":
		writer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(writer).Encode(map[string]any{"name": Repository, "tags": r.tags})
	case isManifest && request.Method == http.MethodHead && slices.Contains(r.tags, reference):
		r.asked = reference
		writer.Header().Set("Content-Type", mediaType)
		writer.Header().Set("Content-Length", "2")
		writer.Header().Set("Docker-Content-Digest", digest)
	default:
		if isManifest && !strings.HasPrefix(reference, "sha256:") {
			r.asked = reference
		}
		http.NotFound(writer, request)
	}
}
