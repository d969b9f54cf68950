package real

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"strings"
	"testing"
	"time"
)

const registryConfig = `version: 0.1
storage:
  filesystem:
    rootdirectory: %s
  delete:
    enabled: true
http:
  addr: :%s
`

// registryAsk sends a request, and returns the answer with a body that was read.
func registryAsk(t *testing.T, method, url string, body []byte, status int, header ...string) ([]byte, http.Header) {
	t.Helper()
	c := &http.Client{Timeout: time.Minute}
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status {
		t.Fatalf("%s %s: %s, want %d: %s", method, url, answer.Status, status, data)
	}
	return data, answer.Header
}

// pushBlob uploads data in pieces, and returns its digest.
func pushBlob(t *testing.T, base string, data []byte, pieces int) string {
	t.Helper()
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
	_, header := registryAsk(t, "POST", base+"/blobs/uploads/", nil, 202)
	size := (len(data) + pieces - 1) / pieces
	for at := 0; at < len(data); at += size {
		piece := data[at:min(at+size, len(data))]
		_, header = registryAsk(t, "PATCH", header.Get("Location"), piece, 202, "Content-Type", "application/octet-stream",
			"Content-Range", fmt.Sprintf("%d-%d", at, at+len(piece)-1))
	}
	sign := "?"
	if strings.Contains(header.Get("Location"), "?") {
		sign = "&"
	}
	registryAsk(t, "PUT", header.Get("Location")+sign+"digest="+digest, nil, 201)
	return digest
}

// TestRegistry pushes an image in pieces to a registry of containers, and pulls it: files that grow by
// pieces, are renamed, hashed and sent.
func TestRegistry(t *testing.T) {
	layer := make([]byte, 3_000_000)
	rand.New(rand.NewSource(1)).Read(layer)
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	const kind = "application/vnd.oci.image.manifest.v1+json"

	bothSides(t, func(t *testing.T, s *side) string {
		port, addr := s.port(t)
		s.env = append(s.env, "OTEL_TRACES_EXPORTER=none")
		root := s.path("blobs")
		p := s.start(t, "registry", "serve", s.file(t, "config.yml", fmt.Sprintf(registryConfig, root, port)))
		p.eventually(t, "the registry", func() error {
			_, err := ask(&http.Client{Timeout: time.Minute}, "GET", "http://"+addr+"/v2/", "", 200)
			return err
		})
		base := "http://" + addr + "/v2/a/b"
		big, small := pushBlob(t, base, layer, 5), pushBlob(t, base, config, 1)
		manifest := []byte(fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},`+
			`"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`, kind, "application/vnd.oci.image.config.v1+json", small,
			len(config), "application/vnd.oci.image.layer.v1.tar", big, len(layer)))
		for _, tag := range []string{"v1", "v2"} {
			registryAsk(t, "PUT", base+"/manifests/"+tag, manifest, 201, "Content-Type", kind)
		}
		got, _ := registryAsk(t, "GET", base+"/manifests/v2", nil, 200, "Accept", kind)
		if !bytes.Equal(got, manifest) {
			t.Errorf("manifest: %s", got)
		}
		if got, _ = registryAsk(t, "GET", base+"/blobs/"+big, nil, 200); !bytes.Equal(got, layer) {
			t.Errorf("%d bytes, not those %d", len(got), len(layer))
		}
		got, _ = registryAsk(t, "GET", base+"/blobs/"+big, nil, 206, "Range", "bytes=100-199")
		if !bytes.Equal(got, layer[100:200]) {
			t.Errorf("range: %d bytes", len(got))
		}
		if got, _ = registryAsk(t, "GET", base+"/tags/list", nil, 200); string(got) != `{"name":"a/b","tags":["v1","v2"]}`+"\n" {
			t.Errorf("tags: %s", got)
		}
		registryAsk(t, "DELETE", base+"/blobs/"+small, nil, 202)
		registryAsk(t, "GET", base+"/blobs/"+small, nil, 404)
		return p.stop(t)
	})
}
