package main

import (
	"os"
	"syscall"
)

// A slash behind the last name: only a directory may have one, and calls that make, remove or move a
// name never look behind a link that has it.
func slashes(t *T) {
	dir := tempDir(t)
	defer os.RemoveAll(dir)
	t.Must("mkdir", os.Mkdir(dir+"/d", 0o700))
	write(t, dir+"/f", "f")
	for name, target := range map[string]string{"to-d": "d", "to-f": "f", "to-none": "none"} {
		t.Must("symlink", os.Symlink(target, dir+"/"+name))
	}
	creat := func(path string) error {
		fd, err := syscall.Open(path, syscall.O_CREAT|syscall.O_RDWR, 0o600)
		if err == nil {
			syscall.Close(fd)
		}
		return err
	}
	for _, c := range []struct {
		what string
		call func(path string) error
		want [6]syscall.Errno // to-d/ to-f/ to-none/ d/ f/ none/; 0 is not asked
	}{
		{"mkdir", func(p string) error { return syscall.Mkdir(p, 0o700) }, [6]syscall.Errno{syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.EEXIST}},
		{"mknod", func(p string) error { return syscall.Mknod(p, syscall.S_IFREG|0o600, 0) }, [6]syscall.Errno{syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.ENOENT}},
		{"symlink", func(p string) error { return syscall.Symlink("x", p) }, [6]syscall.Errno{syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.ENOENT}},
		{"link to", func(p string) error { return syscall.Link(dir+"/f", p) }, [6]syscall.Errno{syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.EEXIST, syscall.ENOENT}},
		{"create", creat, [6]syscall.Errno{syscall.EISDIR, syscall.EISDIR, syscall.EISDIR, syscall.EISDIR, syscall.EISDIR, syscall.EISDIR}},
		{"unlink", syscall.Unlink, [6]syscall.Errno{syscall.ENOTDIR, syscall.ENOTDIR, syscall.ENOTDIR, syscall.EISDIR, syscall.ENOTDIR, syscall.ENOENT}},
		{"rmdir", syscall.Rmdir, [6]syscall.Errno{syscall.ENOTDIR, syscall.ENOTDIR, syscall.ENOTDIR, 0, syscall.ENOTDIR, syscall.ENOENT}},
		{"rename", func(p string) error { return syscall.Rename(p, dir+"/new") }, [6]syscall.Errno{syscall.ENOTDIR, syscall.ENOTDIR, syscall.ENOTDIR, 0, syscall.ENOTDIR, syscall.ENOENT}},
		{"rename to", func(p string) error { return syscall.Rename(dir+"/f", p) }, [6]syscall.Errno{syscall.ENOTDIR, syscall.ENOTDIR, syscall.ENOTDIR, syscall.ENOTDIR, syscall.ENOTDIR, syscall.ENOTDIR}},
	} {
		for i, name := range []string{"to-d", "to-f", "to-none", "d", "f", "none"} {
			if c.want[i] != 0 {
				t.Want(c.what+" "+name+"/", errnoOf(c.call(dir+"/"+name+"/")), c.want[i])
			}
		}
	}
	var st syscall.Stat_t
	t.Must("lstat to-d/", syscall.Lstat(dir+"/to-d/", &st))
	t.Want("followed", st.Mode&syscall.S_IFMT, uint32(syscall.S_IFDIR))
	t.Want("lstat to-f/", errnoOf(syscall.Lstat(dir+"/to-f/", &st)), syscall.ENOTDIR)
}
