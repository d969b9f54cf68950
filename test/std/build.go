package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// goCommand runs the go command of the release that GOSOLO_GO names.
func goCommand(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOWORK=off",
		"GOFLAGS=-buildvcs=false", "GOTOOLCHAIN="+setting("GOSOLO_GO", "local"))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// build makes the test's binary and returns the folder that the tests run in, which is the source's.
func build(f folders, p pkg) (dir string, err error) {
	module := f.goroot
	if p.version != "" {
		if module, err = require(f, p); err != nil {
			return "", err
		}
	} else {
		module = filepath.Join(f.goroot, "src")
	}
	dir, err = goCommand(module, "list", "-f", "{{.Dir}}", p.path)
	if err != nil {
		return "", err
	}
	_, err = goCommand(module, "test", "-c", "-o", f.file(p, ".test"), p.path)
	return dir, err
}

// require makes an empty module that has the package's at its version.
func require(f folders, p pkg) (string, error) {
	dir := f.file(p, ".module")
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if _, err := goCommand(dir, "mod", "init", "std"); err != nil {
		return "", err
	}
	_, err := goCommand(dir, "get", "-t", p.path+"@"+p.version)
	return dir, err
}
