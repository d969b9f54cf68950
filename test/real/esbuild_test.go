package real

import (
	"crypto/sha256"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEsbuild bundles a small tree: TypeScript, JSX, JSON, a package and an unused export.
func TestEsbuild(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		s.file(t, "src/add.ts", "export function add(n: number) { return n + 1 }\nexport const unused = 'gone'\n")
		s.file(t, "src/data.json", `{"title": "a title"}`)
		s.file(t, "src/view.jsx", "export const view = <b class='x'>{h.name}</b>\n")
		s.file(t, "node_modules/dep/package.json", `{"name": "dep", "main": "lib/index.js"}`)
		s.file(t, "node_modules/dep/lib/index.js", "exports.dep = () => 'from a package'\n")
		s.file(t, "tsconfig.json", `{"compilerOptions": {"target": "ES2020"}}`)
		entry := s.file(t, "src/main.ts", `import {add} from "./add"
import data from "./data.json"
import {view} from "./view.jsx"
import {dep} from "dep"
const x: number = add(41)
console.log(x, data.title, view, dep())
`)
		p := s.start(t, "esbuild", entry, "--bundle", "--minify-syntax", "--jsx-factory=h", "--log-level=info",
			"--legal-comments=none", "--sourcemap=inline")
		code := p.wait(t)
		out := p.stdout.String()
		for _, want := range []string{"a title", "from a package", "return n + 1", `"b"`, "sourceMappingURL="} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in the output", want)
			}
		}
		if strings.Contains(strings.Split(out, "sourceMappingURL=")[0], "gone") {
			t.Error("the unused export is still there")
		}
		// Comments name files relative to the working directory, which differs.
		var lines []string
		for _, line := range strings.Split(out, "\n") {
			if !strings.HasPrefix(strings.TrimSpace(line), "//") && !strings.Contains(line, ".js\"(") {
				lines = append(lines, line)
			}
		}
		return code + "\n" + strings.Join(lines, "\n")
	})
}

// TestEsbuildTree bundles a package that others wrote, and runs what came out.
func TestEsbuildTree(t *testing.T) {
	sources := extract(t, rxjs, download(t, rxjs))
	if len(sources) < 200 {
		t.Fatalf("%d files", len(sources))
	}
	bothSides(t, func(t *testing.T, s *side) string {
		for name, data := range sources {
			s.file(t, "rxjs/"+name, string(data))
		}
		p := s.start(t, "esbuild", s.path("rxjs/index.ts"), "--bundle", "--minify", "--format=cjs", "--legal-comments=none",
			"--tsconfig-raw={}", "--log-level=info")
		code := p.wait(t)
		bundle := filepath.Join(t.TempDir(), "bundle.js")
		out := p.stdout.String()
		must(t, "", store(bundle, []byte(out)))
		script := `const r = require(process.argv[1]);
r.range(1, 10).pipe(r.filter(x => x % 2), r.map(x => x * x), r.scan((a, x) => a + x, 0)).subscribe(x => console.log(x))`
		got, err := exec.Command("node", "-e", script, bundle).CombinedOutput()
		if want := "1\n10\n35\n84\n165\n"; err != nil || string(got) != want {
			t.Errorf("the bundle of %d bytes: %v, %.300s; want %q", len(out), err, got, want)
		}
		return fmt.Sprintf("%s, %d bytes, %x", code, len(out), sha256.Sum256([]byte(out)))
	})
}

func TestEsbuildError(t *testing.T) {
	bothSides(t, func(t *testing.T, s *side) string {
		p := s.start(t, "esbuild", s.file(t, "main.ts", "let x: = 1\n"))
		code := p.wait(t)
		if !strings.Contains(p.stderr.String(), "1 error") {
			t.Error("no error was reported")
		}
		return code
	})
}
