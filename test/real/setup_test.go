// Package real runs programs that others wrote, unmodified and at pinned versions, first on this
// Linux and then in the machine, and holds the same conversation with both.
//
// Parameters of the environment: OUT, the folder of the build (default build; what is built here
// goes to $OUT/real and stays there); GOSOLO, the command (default $OUT/gosolo); GOSOLO_CPUS
// (default "1 2"); REAL_FLAGS, more flags of `gosolo run`.
package real

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module is a main package and the version of its module that is built.
type module struct{ name, main, version, tags string }

// modules are built as dependencies of an empty module: `go install main@version` refuses a module
// with replace directives (etcd), and for the others chooses the same versions.
var modules = []module{
	{"caddy", "github.com/caddyserver/caddy/v2/cmd/caddy", "v2.8.4", ""},
	{"coredns", "github.com/coredns/coredns", "v1.12.0", ""},
	{"etcd", "go.etcd.io/etcd/server/v3", "v3.5.21", ""},
	{"nats-server", "github.com/nats-io/nats-server/v2", "v2.10.22", ""},
	{"node_exporter", "github.com/prometheus/node_exporter", "v1.8.2", ""},
	{"registry", "github.com/distribution/distribution/v3/cmd/registry", "v3.0.0", ""},
	{"frpc", "github.com/fatedier/frp/cmd/frpc", "v0.61.0", ""},
	{"frps", "github.com/fatedier/frp/cmd/frps", "v0.61.0", ""},
	// Without the pages of its user interface.
	{"syncthing", "github.com/syncthing/syncthing/cmd/syncthing", "v1.28.1", "noassets"},
	// Without the clients of clouds' inventories, which would be most of it.
	{"prometheus", "github.com/prometheus/prometheus/cmd/prometheus", "v0.314.0", "remove_all_sd"},
}

// archive is an npm package; the hash is that of its .tgz. member is what is used of it: a program that
// comes as a binary, or a folder of sources.
type archive struct{ name, spec, sha256, member string }

var archives = []archive{{
	"esbuild", "@esbuild/linux-x64@0.28.2",
	"9573bb2233aab0f9ea7647d5cca9726113cc1768de61d66b17267f4db84488f6", "package/bin/esbuild",
}}

// rxjs is what esbuild is given to bundle: 251 files of TypeScript.
var rxjs = archive{
	"rxjs", "rxjs@7.8.2",
	"2312f8ffd9726ffd7bd53ea12c5f13663d09a3dc3326f448c70b88f5ef6fac82", "package/src/",
}

// examples are programs of this repository, built by `go build` in their folder each time.
var examples = map[string]string{
	"repl": "repl", "proxy": "proxy", "files": "files", "metrics": "metrics", "sshd": "sshd", "sshclient": "sshd/client", "9p": "9p",
	"http3": "../test/real/http3", "stores": "../test/real/stores",
	"gopsutil": "../test/real/gopsutil", "collectors": "../test/real/collectors",
}

func setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func outFolder() string {
	out, err := filepath.Abs(setting("OUT", "../../build"))
	if err != nil {
		panic(err)
	}
	return out
}

func gosolo() string { return setting("GOSOLO", filepath.Join(outFolder(), "gosolo")) }

// program returns the path of a program, which is built or fetched when it is not there yet.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, m := range modules {
		if m.name == name {
			return buildModule(t, m)
		}
	}
	for _, a := range archives {
		if a.name == name {
			return fetchArchive(t, a)
		}
	}
	if folder, ok := examples[name]; ok {
		return buildExample(t, name, folder)
	}
	t.Fatalf("no program %s in the tables", name)
	return ""
}

func buildModule(t *testing.T, m module) string {
	t.Helper()
	binary := filepath.Join(outFolder(), "real", m.name+"-"+m.version)
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	dir := t.TempDir()
	for _, args := range [][]string{
		{"mod", "init", "real"},
		{"get", m.main + "@" + m.version},
		{"build", "-trimpath", "-tags", m.tags, "-o", binary, m.main},
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOWORK=off", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return binary
}

func buildExample(t *testing.T, name, folder string) string {
	t.Helper()
	binary := filepath.Join(outFolder(), "real", "example-"+name)
	cmd := exec.Command("go", "build", "-trimpath", "-o", binary, ".")
	cmd.Dir = filepath.Join("../../examples", folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("examples/%s: %v\n%s", folder, err, out)
	}
	return binary
}

func fetchArchive(t *testing.T, a archive) string {
	t.Helper()
	binary := filepath.Join(outFolder(), "real", a.name+"-"+a.sha256[:12])
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	files := extract(t, a, download(t, a))
	if len(files) != 1 {
		t.Fatalf("%s has %d files %s", a.spec, len(files), a.member)
	}
	must(t, "", store(binary, files[""]))
	return binary
}

// download returns the .tgz, which stays in $OUT/real.
func download(t *testing.T, a archive) []byte {
	t.Helper()
	file := filepath.Join(outFolder(), "real", a.name+"-"+a.sha256[:12]+".tgz")
	data, err := os.ReadFile(file)
	if err != nil {
		cmd := exec.Command("npm", "pack", "--silent", a.spec)
		cmd.Dir = t.TempDir()
		name, err := cmd.Output()
		if err != nil {
			t.Fatalf("npm pack %s: %v", a.spec, err)
		}
		data, err = os.ReadFile(filepath.Join(cmd.Dir, strings.TrimSpace(string(name))))
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != a.sha256 {
		t.Fatalf("%s: SHA-256 is %s, want %s", a.spec, got, a.sha256)
	}
	must(t, "", store(file, data))
	return data
}

// extract returns the files of a .tgz whose names begin with the member, by what follows it.
func extract(t *testing.T, a archive, data []byte) map[string][]byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatalf("%s: %v", a.spec, err)
		}
		rest, ok := strings.CutPrefix(h.Name, a.member)
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		if files[rest], err = io.ReadAll(r); err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
	}
}

// store writes a file, which appears under its name only when it is whole.
func store(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", data, 0o755); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
